"""The ordinary ``aws`` CLI against ``make aws``: what an operator types, word for word.

It has an environment of its own, because it pins its botocore: ``make check-cli`` runs this.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.scene import FLEET_TEMPLATE, ROOT

AWS = os.environ.get("SNAPROLL_AWS")
PATIENCE_SECONDS = 120
SPEED = "1200"
SNAPSHOT_TAGS = "ResourceType=snapshot,Tags=[{Key=Dataset,Value=sec},{Key=Environment,Value=demo}]"

pytestmark = pytest.mark.skipif(AWS is None, reason="not checked here: run make check-cli")


class Operator:
    """Types commands."""

    def __init__(self, url: str) -> None:
        self._url = url

    def aws(self, *words: str) -> Any:
        """Run a command; gives its output."""
        code, out, err = self.tried(*words)
        assert code == 0, err
        return json.loads(out) if out.startswith(("{", "[", '"')) else out

    def tried(self, *words: str) -> tuple[int, str, str]:
        """Run a command; gives its exit code, output and complaint."""
        done = subprocess.run(  # noqa: S603 - the tool that the test is about
            [str(AWS), "--endpoint-url", self._url, "--output", "json", *words],
            cwd=ROOT,
            env={
                "AWS_ACCESS_KEY_ID": "dummy",
                "AWS_SECRET_ACCESS_KEY": "dummy",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_CONFIG_FILE": os.devnull,
                "NO_PROXY": "127.0.0.1",
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def awaits(self, wanted: Any, *words: str) -> None:
        """Run a command until it gives what is wanted."""
        for _ in range(PATIENCE_SECONDS * 2):
            if (seen := self.aws(*words)) == wanted:
                return
            time.sleep(0.5)
        pytest.fail(f"{' '.join(words)} gives {seen}, not {wanted}")

    @property
    def machine(self) -> str:
        found: str = self.aws(
            *("stepfunctions", "list-state-machines"),
            *("--query", "stateMachines[?ends_with(name, '-rollout')].stateMachineArn | [0]"),
        )
        return found

    def publish(self) -> str:
        """Take a snapshot of the writer's volume, as a publisher does."""
        volume = self.aws(
            *("ec2", "describe-volumes", "--filters", "Name=tag-key,Values=snaproll:writer"),
            *("--query", "Volumes[0].VolumeId"),
        )
        made: str = self.aws(
            *("ec2", "create-snapshot", "--volume-id", volume),
            *("--tag-specifications", SNAPSHOT_TAGS, "--query", "SnapshotId"),
        )
        return made


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    """An operator before a freshly served world."""
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-m", "embedded.wire", "--port", "0", "--speed", SPEED],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        assert program.stdout is not None
        ready, _, url = program.stdout.readline().strip().partition(" ")
        assert ready == "ready"
        yield Operator(url)
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=PATIENCE_SECONDS)


def test_a_snapshot_with_the_fleets_tags_is_rolled_out(operator: Operator) -> None:
    snapshot = operator.publish()

    operator.awaits(
        "SUCCEEDED",
        *("stepfunctions", "list-executions", "--state-machine-arn", operator.machine),
        *("--query", f"executions[?contains(name, '{snapshot}')].status | [0]"),
    )
    tags = operator.aws(
        *("ec2", "describe-snapshots", "--snapshot-ids", snapshot),
        *("--query", "Snapshots[0].Tags[?Key=='snaproll:role:demo:sec'].Value | [0]"),
    )
    assert tags == "live"


def test_a_rollout_is_started_stopped_redriven_and_looked_at_by_hand(operator: Operator) -> None:
    def execution(command: str, *words: str) -> Any:
        return operator.aws("stepfunctions", command, "--execution-arn", arn, *words)

    arn = operator.aws(
        *("stepfunctions", "start-execution", "--state-machine-arn", operator.machine),
        *("--input", '{"fleet": "sec", "snapshot": "latest", "reason": "drill"}'),
        *("--query", "executionArn"),
    )
    status, _, complaint = operator.tried(
        "stepfunctions", "stop-execution", "--execution-arn", arn, "--cause", "not now"
    )
    assert status == 0, complaint

    ended = execution("describe-execution", "--query", "status")
    history = execution("get-execution-history", "--query", "events[0].type")

    assert ended in {"ABORTED", "SUCCEEDED", "FAILED"}
    assert history == "ExecutionStarted"
    if ended == "ABORTED":
        assert "redriveDate" in execution("redrive-execution")


def test_a_second_fleet_needs_only_its_own_stack(operator: Operator) -> None:
    subnets = operator.aws("ec2", "describe-subnets", "--query", "Subnets[:2]")
    snapshots = operator.aws("ec2", "describe-snapshots", "--owner-ids", "self")
    values = {
        "Fleet": "two",
        "Environment": "demo",
        "SnapshotTagValue": "two",
        "VpcId": subnets[0]["VpcId"],
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets),
        "LiveSnapshot": "/snaproll/demo/live/two/snapshot",
    }
    operator.aws(
        *("ssm", "put-parameter", "--name", values["LiveSnapshot"], "--type", "String"),
        *("--value", snapshots["Snapshots"][0]["SnapshotId"]),
    )

    operator.aws(
        *("cloudformation", "deploy", "--stack-name", "fleet-two"),
        *("--template-file", str(FLEET_TEMPLATE), "--capabilities", "CAPABILITY_IAM"),
        *("--parameter-overrides", *(f"{name}={value}" for name, value in values.items())),
    )

    status = ("cloudformation", "describe-stacks", "--stack-name", "fleet-two")
    assert operator.aws(*status, "--query", "Stacks[0].StackStatus") == "CREATE_COMPLETE"
    names = operator.aws(
        *("ssm", "get-parameters-by-path", "--path", "/snaproll/demo/fleets"),
        *("--query", "Parameters[].Name"),
    )
    assert "/snaproll/demo/fleets/two" in names


def test_the_configuration_of_a_fleet_is_changed_by_its_parameter(operator: Operator) -> None:
    name = "/snaproll/demo/fleets/sec"
    value = operator.aws("ssm", "get-parameter", "--name", name, "--query", "Parameter.Value")

    version = operator.aws(
        *("ssm", "put-parameter", "--name", name, "--value", json.dumps(json.loads(value))),
        *("--overwrite", "--query", "Version"),
    )

    assert int(version) == 2


def test_what_is_not_supported_says_so(operator: Operator) -> None:
    code, _, complaint = operator.tried("ec2", "describe-images")

    assert code != 0
    assert "(NotEmulated)" in complaint
    assert "does not model ec2:DescribeImages" in complaint
