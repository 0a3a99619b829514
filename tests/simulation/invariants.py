"""What must always hold: I1 to I12 of docs/architecture.md, checked after every step of the world.

Each is one or more properties, in the modules for releases and for claims. I7 (nothing is lost) can
only be asked when all is at rest: ``quiescence``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.simulation import claim_properties as claims
from tests.simulation import end_properties as ends
from tests.simulation import look_properties as looks
from tests.simulation import probing
from tests.simulation import release_properties as releases
from tests.simulation import start_properties as starts
from tests.simulation import takeover_properties as takeovers
from tests.simulation.observer import Observer
from tests.simulation.rollout import Step
from tests.simulation.violation import Violation, ViolationError

Check = Callable[[Observer, Step], Iterator[Violation]]

INVARIANTS: dict[str, tuple[Check, ...]] = {
    "I2": (
        claims.one_at_a_time,
        takeovers.who_lost_the_claim_notes_nothing,
        takeovers.only_what_was_left_is_taken_over,
    ),
    "I1": (releases.passed_the_gate, releases.refreshed_to_is_fit),
    "I4": (releases.there_is_a_way_back,),
    "I11": (releases.begins_on_a_healthy_fleet,),
    "I10": (claims.nothing_twice, claims.claims_end),
    "I3": (releases.live_is_proven, releases.saved_is_live),
    "I5": (releases.default_is_proven, releases.nothing_bad_is_left),
    "I6": (
        claims.outcomes_are_named,
        takeovers.the_record_comes_with_the_end,
        takeovers.nobody_is_called_too_soon,
        ends.ends_are_what_they_say,
    ),
    "I7": (starts.what_waits_is_not_lost, starts.who_is_next_begins),
    "I8": (releases.going_back_leaves_a_hold, starts.what_is_held_or_stopped_stays),
    "I9": (releases.quarantine_has_evidence, probing.nobody_asks_going_back),
    "I12": (claims.bakes_are_not_interrupted, starts.only_people_stop_rollouts),
    "effort": (starts.nothing_is_tried_for_nothing,),
    "promptness": (ends.signals_are_heard, looks.grace_ends),
}
"""The properties of each invariant, in the order in which they are checked: some note what other
ones then speak of. That live only moves forward (I8) is asked in ``live_is_proven``."""


class Invariants:
    """All checks of one fleet."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def check(self) -> None:
        """Check what may have been broken since the last time.

        Raises
        ------
        ViolationError
            For the first invariant that does not hold.
        """
        step = self._observer.observe()
        if step is None:
            return
        for properties in INVARIANTS.values():
            for one in properties:
                for violation in one(self._observer, step):
                    raise ViolationError(violation)
