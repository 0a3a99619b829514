"""``make conformance``, pointed at the wire door of a second world instead of at AWS."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from embedded.wire.cloudformation import CloudFormation
from embedded.wire.server import WireDoor
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from embedded.world.service import Params, Reply
from embedded.world.world import World
from tests.contract.scene import ROOT
from tools.conformance.catalogue import checks
from tools.conformance.program import main
from tools.conformance.report import Report

ACCOUNT, REGION = "444455556666", "eu-west-1"
SNAPSHOT = "a snapshot that is not there"
"""Words in the name of one check that only reads."""
LATEST = "what is newest"
"""Words in the name of one check that makes things."""
MEANT = ("--mutating", "--account", ACCOUNT)


@dataclass
class Run:
    """How the program ended, what it said, and what it wrote."""

    code: int
    said: str
    report: Report


class Terminal:
    """Runs the program as somebody at a terminal would."""

    def __init__(self, world: World, url: str, report: Path) -> None:
        self.world = world
        self._url = url
        self._report = report

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> Run:
        screen = io.StringIO()
        named = {"AWS_PROFILE": "checker", "AWS_REGION": REGION}
        code = main(
            ["--endpoint-url", self._url, "--report", str(self._report), *arguments],
            named if environment is None else environment,
            console=Console(file=screen, width=200),
            sleep=self.world.run_for,
        )
        report = Report.model_validate_json(self._report.read_text(encoding="utf-8"))
        return Run(code, screen.getvalue(), report)


@contextmanager
def terminal(world: World, folder: Path) -> Iterator[Terminal]:
    world.add_service(CloudFormation(world, ROOT))
    with WireDoor(world, speed=0) as door:
        yield Terminal(world, door.url, folder / "conformance.json")


def another_account() -> World:
    return World(account=ACCOUNT, region=REGION, seed=9)


@pytest.fixture(autouse=True, scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A machine with one profile that has credentials, and one that has none."""
    config = tmp_path_factory.mktemp("aws") / "config"
    config.write_text(
        "[profile checker]\naws_access_key_id = dummy\naws_secret_access_key = dummy\n"
        "[profile empty]\noutput = json\n",
        encoding="utf-8",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", str(config))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config.with_name("none")))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Terminal]:
    with terminal(another_account(), tmp_path) as opened:
        yield opened


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


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"AWS_REGION": REGION}, "AWS_PROFILE"),
        ({"AWS_PROFILE": "checker"}, "AWS_REGION"),
        ({"AWS_PROFILE": "checker", "AWS_DEFAULT_REGION": REGION}, "AWS_REGION"),
        ({}, "AWS_PROFILE or --profile and AWS_REGION or --region"),
        ({"AWS_PROFILE": "empty", "AWS_REGION": REGION}, "Unable to locate credentials"),
        ({"AWS_PROFILE": "nobody", "AWS_REGION": REGION}, "nobody"),
        ({"AWS_PROFILE": "checker", "AWS_REGION": "here"}, "region"),
    ],
)
def test_it_runs_only_in_an_account_and_region_that_were_named(
    environment: dict[str, str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([], environment)

    assert code == 2
    assert missing in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "told"), [((), "--account"), (("--account", "444455556667"), "444455556667")]
)
def test_it_makes_nothing_unless_the_accounts_own_id_was_typed(
    there: Terminal, typed: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ["--endpoint-url", there._url]  # noqa: SLF001 - the run leaves no report to read
    environment = {"AWS_PROFILE": "checker", "AWS_REGION": REGION}

    code = main([*url, "--mutating", *typed], environment)

    assert code == 2
    assert told in capsys.readouterr().err
    assert {call.operation for call in there.world.calls} <= {"GetCallerIdentity"}


def test_it_changes_nothing_unless_it_is_told_to(there: Terminal) -> None:
    there.run()

    reading = ("Describe", "Get", "List", "Query", "BatchGet", "Filter")
    assert [
        one.operation for one in there.world.calls if not one.operation.startswith(reading)
    ] == []


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
    url = ["--endpoint-url", there._url]  # noqa: SLF001 - another way to let time pass
    environment = {"AWS_PROFILE": "checker", "AWS_REGION": REGION}
    report = ["--report", str(there._report)]  # noqa: SLF001 - as above

    code = main(
        [*url, *report, *MEANT, "--match", "a refresh without instances"],
        environment,
        console=Console(file=io.StringIO()),
        sleep=interrupt,
    )

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
