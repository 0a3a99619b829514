"""The example in docs/applications.md finds a fleet, run as it stands there."""

from __future__ import annotations

import importlib.util
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from embedded.scenarios.scene import FLEET, Scene
from embedded.scenarios.stage import ENVIRONMENT
from embedded.world.world import World

PAGE = Path(__file__).parents[2] / "docs" / "applications.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module on the page."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (code,) = blocks
    file = tmp_path / "replicas.py"
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("documented_replicas", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    monkeypatch.setitem(sys.modules, "documented_replicas", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(World())


def test_an_application_finds_endpoint_snapshot_and_age(scene: Scene, example: Any) -> None:
    ssm = scene.session.client("ssm")
    before = example.find_replicas(ssm, FLEET, ENVIRONMENT, {})
    assert before.snapshot == scene.fleet.first_snapshot
    assert before.data_time is None

    rollout = scene.roll(scene.fleet)

    found = example.find_replicas(ssm, FLEET, ENVIRONMENT, {})
    assert found.url == before.url
    assert found.snapshot == rollout.input.value["snapshot"]
    assert timedelta() < found.age(scene.world.clock.now()) < timedelta(hours=3)


def test_the_endpoint_is_the_load_balancers(scene: Scene, example: Any) -> None:
    (balancer,) = scene.session.client("elbv2").describe_load_balancers()["LoadBalancers"]

    found = example.find_replicas(scene.session.client("ssm"), FLEET, ENVIRONMENT, {})

    assert found.url == f"http://{balancer['DNSName']}"


def test_the_variable_of_older_applications_comes_first(scene: Scene, example: Any) -> None:
    variables = {"SHARED_REPLICA_ALB_URL": "http://localhost:8080"}

    found = example.find_replicas(scene.session.client("ssm"), FLEET, ENVIRONMENT, variables)

    assert found.url == "http://localhost:8080"


def test_a_fleet_that_is_not_deployed_is_said_to_be_missing(scene: Scene, example: Any) -> None:
    with pytest.raises(example.NoReplicasError, match="live/none/endpoint"):
        example.find_replicas(scene.session.client("ssm"), "none", ENVIRONMENT, {})
