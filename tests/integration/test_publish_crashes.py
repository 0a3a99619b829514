"""Every call of a publisher's function may fail, stay unanswered, or be its last line.

The calls are recorded in an undisturbed publish with a quiesce hook. Then each is disturbed, in
each way, and what is left has to be the same: one snapshot, a running writer, no claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage
from embedded.scenarios.writers import Publishing
from embedded.world.faults import Call
from tests.integration.hooks import WITH_FUNCTION, Hook
from tests.integration.seen import READING
from tests.integration.test_crashes import Crash, Point, Way
from tests.integration.test_publish import snapshots_of, tags_of, told
from tests.integration.test_publish_merging import ledger_of

FUNCTIONS = {
    f"{name}Function"
    for name in (
        *("RequestPublish", "ClaimWriter", "InspectWriter", "QuiesceWriter", "TakeSnapshot"),
        *("ResumeWriter", "InspectSnapshot", "AwaitSnapshot", "SignalPublish", "FinishPublish"),
    )
}
STARTED_BY_EVENTS = {"RequestPublishFunction", "SignalPublishFunction"}
SETTLED = timedelta(hours=2)


class Scene:
    """A writer with a hook, and what its publish leaves."""

    def __init__(self) -> None:
        self.stage = Stage(check_replies=False)
        fleet = self.stage.add_fleet("sec", capacity=1)
        self.publishing = Publishing(self.stage)
        self.hook = Hook(self.stage).as_function()
        self.writer = self.publishing.add_instance(fleet, {"Role": "writer"})
        policy = {
            "volume": {"instance_tags": {"Role": "writer"}, "device": DATA_DEVICE},
            "fleets": [fleet.name],
            **WITH_FUNCTION,
        }
        self.publishing.configure(self.writer.name, policy)
        # One that was published before, so that there are items to change
        self.publishing.publish(self.writer.name)
        self.stage.finish()
        self.before = len(self.publishing.publishes())
        self.begin = len(self.stage.world.calls)

    def play(self) -> None:
        """Let data be ready, and everything come to rest."""
        self.publishing.materialize(self.writer.name)
        self.stage.world.run_for(SETTLED.total_seconds())
        self.publishing.finish()
        self.stage.finish()

    def calls(self) -> list[Call]:
        """The calls that the publisher's functions made."""
        return [call for call in self.stage.world.calls[self.begin :] if call.caller in FUNCTIONS]

    def picture(self) -> dict[str, Any]:
        """What a publish leaves, except when, and how many executions it took."""
        state = ledger_of(self.stage, self.writer.name)
        snapshots = snapshots_of(self.stage, self.writer.volume)
        return {
            "publishes": sorted(tags_of(self.stage, one)["snaproll:publish"] for one in snapshots),
            "last": self.publishing.publishes()[-1].status,
            "left": (state.claim, state.pending, state.successor, state.waiting),
            "quiet": self.hook.quiet,
            "failures": told(self.stage, "Publish Failed"),
            "live": sorted(self.stage.served(self.stage.fleets["sec"]).values()),
        }


@cache
def undisturbed() -> tuple[list[Call], dict[str, Any]]:
    """A publish that nothing disturbs: its calls, and the picture it leaves."""
    scene = Scene()
    scene.play()
    return scene.calls(), scene.picture()


def cases() -> Iterator[tuple[Point, Way]]:
    """Every call in every way; a call that only reads is the same before and after."""
    counts: Counter[tuple[str, str]] = Counter()
    for call in undisturbed()[0]:
        kind = (call.caller, call.operation)
        counts[kind] += 1
        reading = call.operation.startswith(READING)
        for way in (Way.DIES_BEFORE,) if reading else tuple(Way):
            if way is Way.NEVER_ANSWERED and call.caller in STARTED_BY_EVENTS:
                continue
            yield Point(*kind, counts[kind]), way


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Record the calls and make a test of each disturbance; nothing of this runs at import."""
    if "point" in metafunc.fixturenames:
        found = list(cases())
        names = [f"{point} {way}" for point, way in found]
        metafunc.parametrize(("point", "way"), found, ids=names)


def test_a_call_that_goes_wrong_takes_no_second_snapshot_and_leaves_the_writer_running(
    point: Point, way: Way
) -> None:
    # Given a call that goes wrong
    scene = Scene()
    crash = Crash(point, way)
    crash.install(scene.stage)
    if way is Way.NEVER_ANSWERED:
        # Until the third execution at the latest: nothing survives a world that never answers
        scene.stage.world.clock.after(
            timedelta(minutes=10).total_seconds(), "AWS answers", scene.stage.world.faults.clear
        )

    # When data is ready, and dead executions are taken over
    scene.play()

    # Then what is left is what is left when nothing goes wrong
    assert crash.struck
    assert scene.picture() == undisturbed()[1]


def test_every_function_of_a_publish_is_disturbed() -> None:
    assert {call.caller for call in undisturbed()[0]} == FUNCTIONS
