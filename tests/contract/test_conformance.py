"""``make conformance``, pointed at the wire door of a second world instead of at AWS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded.world.errors import AwsError
from embedded.world.faults import Call
from embedded.world.service import Params, Reply
from embedded.world.world import World
from tests.contract.terminal import ACCOUNT, MEANT, REGION, Run, Terminal, another_account, terminal
from tools.conformance.catalogue import checks

pytestmark = pytest.mark.usefixtures("profiles")

SNAPSHOT = "a snapshot that is not there"
"""Words in the name of one check that only reads."""
LATEST = "what is newest"
"""Words in the name of one check that makes things."""


# -- a whole run ----------------------------------------------------------------------------------


@dataclass
class Whole:
    run: Run
    before: dict[str, Any]
    after: dict[str, Any]


WHAT_CAN_BE_MADE = {
    "autoscaling:DescribeAutoScalingGroups": {},
    "cloudformation:ListStacks": {"StackStatusFilter": ["CREATE_COMPLETE", "REVIEW_IN_PROGRESS"]},
    "cloudwatch:DescribeAlarms": {},
    "dynamodb:ListTables": {},
    "ec2:DescribeLaunchTemplates": {},
    "ec2:DescribeSnapshots": {"OwnerIds": ["self"]},
    "ec2:DescribeVolumes": {},
    "elbv2:DescribeTargetGroups": {},
    "events:ListRules": {},
    "iam:ListRoles": {},
    "ssm:DescribeParameters": {},
    "stepfunctions:ListStateMachines": {},
}


def everything(world: World) -> dict[str, Any]:
    """All that a run could make or take away."""
    found = {}
    for call, params in WHAT_CAN_BE_MADE.items():
        service, _, operation = call.partition(":")
        reply = world.call(service, operation, dict(params))
        found[call] = {name: reply[name] for name in reply if "oken" not in name}
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run of every check, in an account in which somebody else has things."""
    world = another_account()
    with terminal(world, tmp_path_factory.mktemp("whole")) as there:
        world.call("ssm", "PutParameter", {"Name": "/theirs", "Value": "1", "Type": "String"})
        data = {"LaunchTemplateName": "theirs", "LaunchTemplateData": {"InstanceType": "t4g.nano"}}
        world.call("ec2", "CreateLaunchTemplate", data)
        world.ec2.add_snapshot(tags={"theirs": "yes"})
        before = everything(world)
        run = there.run(*MEANT)
        return Whole(run, before, everything(world))


def test_a_whole_run_finds_no_difference_between_two_worlds(whole: Whole) -> None:
    assert whole.run.report.differences == []
    assert whole.run.code == 0


def test_a_whole_run_checks_everything_but_what_needs_a_fleet(whole: Whole) -> None:
    report = whole.run.report
    unchecked = [one.check for one in report.not_checked]

    assert sorted([*report.agreed, *unchecked]) == sorted(one.name for one in checks())
    assert all("needs a fleet" in one.why for one in report.not_checked)


def test_a_whole_run_takes_everything_away_again_and_nothing_else(whole: Whole) -> None:
    assert whole.after == whole.before
    assert whole.run.report.left_behind == []


def test_a_run_says_at_once_where_and_as_whom_it_will_run(whole: Whole) -> None:
    first = whole.run.said.splitlines()[0]

    assert f"Account {ACCOUNT}, Region {REGION}, as arn:aws:sts::{ACCOUNT}:" in first


def test_what_is_made_is_said_before_it_is_made_with_the_command_that_deletes_it(
    whole: Whole,
) -> None:
    made = [line for line in whole.run.said.splitlines() if line.startswith("  makes ")]

    assert len(made) > 40
    assert [one for one in made if f"aws --region {REGION} " not in one] == []


# -- differences ----------------------------------------------------------------------------------


class Otherwise(World):
    """A world that says of a template's newest version what another implementation might."""

    def call(
        self, service: str, operation: str, params: Params | None = None, **more: Any
    ) -> Reply:
        reply = super().call(service, operation, params, **more)
        for template in reply.get("LaunchTemplates", []):
            template["LatestVersionNumber"] += 1
        return reply


def test_a_member_that_is_otherwise_is_reported_and_fails_the_run(tmp_path: Path) -> None:
    with terminal(Otherwise(account=ACCOUNT, region=REGION), tmp_path) as there:
        run = there.run(*MEANT, "--match", LATEST)

    assert run.code == 1
    [found] = run.report.differences
    assert found.call == "ec2:DescribeLaunchTemplates"
    assert found.where == "LaunchTemplates[0].LatestVersionNumber"
    assert (found.theirs, found.ours) == ("2", "1")
    assert "LatestVersionNumber" in run.said


def answering(operation: str, error: AwsError) -> Any:
    """An interference: one operation answers an error."""

    def interfere(call: Call) -> None:
        if call.operation == operation:
            raise error

    return interfere


def test_an_error_of_another_code_is_reported_and_fails_the_run(there: Terminal) -> None:
    other = AwsError("InvalidSnapshotID.NotFound", "The snapshot is not there.")
    there.world.faults.before_effect(answering("DescribeSnapshots", other))

    run = there.run("--match", SNAPSHOT)

    assert run.code == 1
    assert [(one.where, one.theirs.split(":")[0]) for one in run.report.differences] == [
        ("the answer", "InvalidSnapshotID.NotFound")
    ]


def test_an_error_in_other_words_is_reported(there: Terminal) -> None:
    other = AwsError("InvalidSnapshot.NotFound", "There is no such snapshot.")
    there.world.faults.before_effect(answering("DescribeSnapshots", other))

    run = there.run("--match", SNAPSHOT)

    assert [one.where for one in run.report.differences] == ["the message"]


def test_a_reply_where_an_error_is_documented_is_reported(there: Terminal) -> None:
    def forgiving(call: Call) -> None:
        if call.params.pop("SnapshotIds", None):
            call.params["OwnerIds"] = ["self"]

    there.world.faults.before_effect(forgiving)

    run = there.run("--match", SNAPSHOT)

    assert run.code == 1
    assert run.report.differences[0].theirs == "a reply"


# -- accounts in which something goes wrong -------------------------------------------------------


def test_a_denied_call_is_told_as_not_checked(there: Terminal) -> None:
    denied = AwsError("UnauthorizedOperation", "You may not.", http_status=403)
    there.world.faults.before_effect(answering("DescribeSnapshots", denied))

    run = there.run("--match", "snapshot")

    assert run.code == 0
    assert run.report.agreed == []
    assert {(one.call, one.why) for one in run.report.not_checked} == {
        ("ec2:DescribeSnapshots", "denied: ec2:DescribeSnapshots: You may not.")
    }


def test_an_account_that_denies_everything_is_no_difference_and_no_crash(there: Terminal) -> None:
    def deny(call: Call) -> None:
        if call.service != "sts":
            raise AwsError("AccessDeniedException", "You may not.", http_status=403)

    there.world.faults.before_effect(deny)

    run = there.run(*MEANT)

    assert run.code == 0
    assert run.report.clean
    assert run.report.agreed == []
    assert len(run.report.not_checked) == len(checks())


def test_credentials_that_expire_on_the_way_are_no_answer(there: Terminal) -> None:
    expired = AwsError("ExpiredToken", "The security token is expired.", http_status=403)
    there.world.faults.before_effect(answering("DescribeSnapshots", expired))

    run = there.run("--match", SNAPSHOT)

    assert run.code == 0
    assert "the credentials have expired" in run.report.not_checked[0].why


def test_what_was_made_is_taken_away_when_a_check_fails_in_the_middle(there: Terminal) -> None:
    other = AwsError("InternalError", "Something broke.", http_status=400)
    there.world.faults.before_effect(answering("StartInstanceRefresh", other))
    before = everything(there.world)

    run = there.run(*MEANT, "--match", "a refresh without instances")

    assert run.code == 1
    assert everything(there.world) == before


def test_what_was_made_is_taken_away_when_somebody_interrupts(there: Terminal) -> None:
    def interrupt(seconds: float) -> None:
        there.world.run_for(seconds)
        if any(call.operation == "CreateAutoScalingGroup" for call in there.world.calls):
            raise KeyboardInterrupt

    before = everything(there.world)

    code = there.type(*MEANT, "--match", "a refresh without instances", sleep=interrupt)

    assert code == 130
    assert everything(there.world) == before


def test_what_cannot_be_deleted_is_listed_with_the_command_that_does_it(there: Terminal) -> None:
    stuck = AwsError("UnauthorizedOperation", "You may not delete.", http_status=403)
    there.world.faults.before_effect(answering("DeleteLaunchTemplate", stuck))

    run = there.run(*MEANT, "--match", LATEST)

    assert run.code == 1
    assert run.report.differences == []
    [left] = run.report.left_behind
    assert left.command == (
        f"aws --region {REGION} ec2 delete-launch-template "
        f"--launch-template-name snaproll-{run.report.run}-latest"
    )
    assert "LEFT BEHIND" in run.said


def test_what_is_refused_because_somebody_else_has_one_of_that_name_is_not_deleted(
    there: Terminal,
) -> None:
    taken = AwsError("InvalidLaunchTemplateName.AlreadyExistsException", "In use.")
    there.world.faults.before_effect(answering("CreateLaunchTemplate", taken))

    there.run(*MEANT, "--match", LATEST)

    assert "DeleteLaunchTemplate" not in {call.operation for call in there.world.calls}


def test_the_report_holds_no_credentials(there: Terminal) -> None:
    run = there.run("--match", SNAPSHOT)

    assert "dummy" not in json.dumps(run.report.model_dump(mode="json"))
