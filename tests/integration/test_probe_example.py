"""The example in docs/probe.md does what the page says, run as it stands there."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.world.ec2.instance import Instance
from snaproll.domain.probe_contract import ProbeAnswer, ProbeRequest, ProbeVerdict
from tests.integration.probes import Probe, is_probed
from tests.integration.seen import Seen, outcome, reason

DOTALL_LINES = re.DOTALL | re.MULTILINE
PAGE = Path(__file__).parents[2] / "docs" / "probe.md"


def test_the_messages_on_the_page_follow_the_contract() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = [json.loads(one) for one in re.findall(r"^```json\n(\{.*?)^```", text, DOTALL_LINES)]

    question, answer = found
    shape = ProbeRequest.model_json_schema()["properties"]
    assert question.keys() == shape.keys()
    assert ProbeRequest.model_validate(question).instance_count == len(question["instances"])
    assert ProbeAnswer.model_validate(answer).verdict is ProbeVerdict.PASS


@pytest.fixture
def example(tmp_path: Path) -> Any:
    """The module on the page."""
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, DOTALL_LINES)
    file = tmp_path / "app.py"
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("documented_probe", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fleet(stage: Stage, example: Any) -> StagedFleet:
    """A fleet that is probed by the example; its replicas have as many orders as their data."""
    fleet = stage.add_fleet("sec-prod")
    is_probed(stage, fleet)

    def orders_on(address: str) -> int:
        def data_of(instance: Instance) -> str:
            snapshot = stage.world.ec2.snapshot(instance.snapshots[DATA_DEVICE])
            assert snapshot is not None
            return snapshot.tags["orders"]

        (there,) = [
            stage.world.ec2.instance(one["InstanceId"])
            for one in stage.describe(fleet)["Instances"]
            if stage.world.ec2.instance(one["InstanceId"]).private_ip == address
        ]
        if data_of(there) == "none":
            raise ConnectionRefusedError(111, "Connection refused")
        return int(data_of(there))

    example.orders_on = orders_on
    Probe(stage, lambda event: example.handler(event, None))
    return fleet


def test_data_with_enough_in_it_becomes_live(stage: Stage, fleet: StagedFleet) -> None:
    rollout = stage.roll(fleet, tags={"orders": "1200000"})

    assert outcome(rollout) == "Live"
    assert "every instance has at least 1200000 orders" in reason(rollout)


def test_data_with_too_little_in_it_is_quarantined(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet, tags={"orders": "12"})

    assert outcome(rollout) == "RolledBack"
    assert "has 12 orders, and at least 1000000 are expected" in reason(rollout)
    assert seen.ledger.quarantine(fleet.name, rollout.input.value["snapshot"]) is not None


def test_instances_that_do_not_answer_condemn_no_data(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet, tags={"orders": "none"})

    assert outcome(rollout) == "RolledBack"
    assert "ConnectionRefusedError: [Errno 111] Connection refused" in reason(rollout)
    assert seen.ledger.quarantine(fleet.name, rollout.input.value["snapshot"]) is None
