"""Fleets' probes: what they answer is in the schedule, and what they were asked is kept here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from embedded.scenarios.stage import ENVIRONMENT
from embedded.world.awslambda import FunctionSpec
from embedded.world.world import World
from tests.simulation.observer import Observer
from tests.simulation.rollout import Live, Step
from tests.simulation.schedule import ProbeSetup, Said
from tests.simulation.violation import Violation

MOST_SECONDS = 10
"""How long the fleets' policies let a probe take."""


def probe_name(fleet: str) -> str:
    """What the function of a fleet's probe is called."""
    return f"snaproll-probe-{ENVIRONMENT}-{fleet}"


class Probe:
    """One fleet's probe."""

    def __init__(self, world: World, seen: Observer, setup: ProbeSetup) -> None:
        self._seen = seen
        self._answers = cycle(setup.answers)
        name = probe_name(seen.scene.fleet.name)
        world.awslambda.install(
            FunctionSpec(
                name=name,
                handler=lambda event, _: self._answer(event),
                logical_id=name,
                role_arn=f"arn:aws:iam::{world.account}:role/probe",
                timeout_seconds=60,
                takes_seconds=setup.seconds,
            )
        )

    def _answer(self, event: dict[str, Any]) -> Any:
        said, snapshot = next(self._answers), event["snapshot"]["id"]
        claim = self._seen.ledger.get("claim", {})
        if claim.get("phase") == "back":
            self._seen.asked_going_back.append(snapshot)
        if said is Said.FAIL:
            self._seen.condemned.add(snapshot)
        # Only the last word on a snapshot counts, and only about the whole fleet's bake.
        if event["moment"]["occasion"] == "end_of_bake":
            self._seen.passed[snapshot] = said is Said.PASS
        if said is Said.RAISES:
            raise RuntimeError("the probe has a bug")
        if said is Said.NONSENSE:
            return {"verdict": "perhaps"}
        return {"verdict": said.value, "reason": f"the schedule says {said.value}"}


def nobody_asks_going_back(seen: Observer, _: Step) -> Iterator[Violation]:
    """A rollback asks no probe: whatever it said, there is no other way than back."""
    for snapshot in seen.asked_going_back:
        yield Violation("I9", f"a probe was asked about {snapshot} on the way back from it")


def unprobed(seen: Observer, live: Live) -> Iterator[str]:
    """What speaks against a release that was called live, on a fleet with a probe."""
    if seen.setup.probe is not None and not seen.passed.get(live.snapshot, False):
        yield "the probe did not pass it at the end of the bake"
