"""A rollout that runs for so long that its execution's history would fill up."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import cycle

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from snaproll.domain.handover import MOST_LOOKS
from snaproll.domain.signals import WAKE_GAP
from tests.integration.seen import Seen, outcome, reason, results_of, states_of

LIMIT = 15_000
"""History events of one execution at most; Step Functions ends one at 25,000."""
LONG_BAKE = {"checkpoints": [100], "checkpoint_wait": "5m", "bake": "10h"}


def flap(stage: Stage, fleet: StagedFleet) -> None:
    """Let the fleet's alarm fire and calm down for ever, as fast as rollouts can be woken."""
    states = cycle(("OK", "ALARM"))

    def turn() -> None:
        stage.world.cloudwatch.hold(fleet.alarm, next(states))
        stage.world.clock.after(WAKE_GAP.total_seconds() / 2, "the alarm flaps", turn)

    turn()


def begin(stage: Stage) -> tuple[Seen, str]:
    """Begin a repair that bakes for ten hours while the alarm, by which it is not judged, flaps."""
    fleet = stage.add_fleet("sec-prod", policy={"refresh": LONG_BAKE})
    seen = Seen(stage, fleet)
    stage.world.cloudwatch.hold(fleet.alarm, "ALARM")
    new = stage.complete_snapshot(fleet, event=False)
    stage.start({"fleet": fleet.name, "snapshot": new, "reason": "the live numbers are wrong"})
    stage.world.run_for(60)
    flap(stage, fleet)
    return seen, new


def looks_of(execution: Execution) -> int:
    return Counter(states_of(execution))["WatchHealth"]


@pytest.fixture(scope="module")
def played() -> tuple[Seen, str]:
    """Such a rollout, played to its end once for all tests that look at it."""
    stage = Stage()
    story = begin(stage)
    stage.finish()
    return story


def test_after_a_thousand_looks_another_execution_goes_on_as_if_nothing_had_been(
    played: tuple[Seen, str],
) -> None:
    # Given a rollout that was woken as often as can be
    seen, new = played
    first, second = seen.stage.rollouts()

    # Then its execution handed over, by its name, and has a history that is far from full
    assert outcome(first) == "HandedOver"
    assert second.name in reason(first)
    assert looks_of(first) == MOST_LOOKS
    assert len(first.history) < LIMIT

    # And the other one began with a look, and ended the same rollout by the same refresh
    assert [name for name in states_of(second) if name != "Decide"][:4] == [
        "PlanRollout",
        "ClaimFleet",
        "FindPlace",
        "WatchHealth",
    ]
    assert outcome(second) == "Live"
    assert seen.serves(new)
    assert len(seen.refreshes) == 1
    (record,) = seen.records
    # As one rollout, from the first execution's start, with its checks and its reason
    assert record.started_at == first.started_at
    assert len(record.checks) > 20


def test_the_clocks_of_grace_and_bake_go_on_when_a_rollout_changes_hands(
    played: tuple[Seen, str],
) -> None:
    first, second = played[0].stage.rollouts()

    before = results_of(first, "WatchHealth")[-1]["memory"]
    after = results_of(second, "WatchHealth")[0]["memory"]

    assert before["baking_since"] is not None
    assert after["baking_since"] == before["baking_since"]
    assert after["quiet_looks"] > before["quiet_looks"]


def test_who_handed_over_and_died_at_it_is_followed_all_the_same(stage: Stage) -> None:
    # Given an execution that may write who goes on, and may not start it
    stage.world.faults.before_effect(deny_start)
    seen, new = begin(stage)
    first = stage.rollouts()[0]
    stage.world.run_until(lambda: not first.running, limit=timedelta(days=1))
    died = stage.world.clock.now()
    assert (first.status, states_of(first)[-1]) == ("FAILED", "HandOver")

    # When recovery hears of it
    stage.world.run_for(30)
    second = stage.rollouts()[-1]

    # Then it starts the named one, which waits for no quiet and inherits everything
    assert second.started_at - died < timedelta(seconds=15)
    assert "WaitForQuiet" not in states_of(second)
    stage.finish()
    assert outcome(second) == "Live"
    assert len(stage.rollouts()) == 2
    assert seen.serves(new)


def deny_start(call: Call) -> None:
    """Refuse to let the function that hands over start an execution."""
    if call.operation == "StartExecution" and call.caller == "HandOverFunction":
        raise AwsError("AccessDeniedException", "injected", http_status=400)
