"""What the ledger says of a release that is saved on a group without instances."""

from __future__ import annotations

from datetime import timedelta

import pytest

from snaproll.domain.ledger import Claim, FleetState, Hold, Outcome, Queued, Trigger
from snaproll.domain.plan import SkipReason, decide, newer_live
from snaproll.domain.release import Release, RollbackTarget, TemplateVersion
from snaproll.domain.staging import (
    claim_staged,
    conclude_staging,
    goes_back_to,
    name_watch,
    stage,
    take_back,
)
from tests.unit.builders import (
    CANDIDATE,
    EXECUTION,
    LIVE,
    NEW,
    NOW,
    OLD,
    SNAPSHOT,
    TARGET,
    good_snapshot,
)

NEWER = Release(
    snapshot="snap-0bbbbbbbbbbbbbbb0",
    template=TemplateVersion(template_id=NEW.template_id, version=9),
    data_time=NOW,
)
HOLD = Hold(by="ann", reason="Maintenance.", since=NOW)


def staged(before: FleetState | None = None, release: Release = CANDIDATE) -> FleetState:
    """A fleet on which a release is staged, an hour after another one if there was one."""
    state = before or FleetState(live=LIVE)
    at = NOW + timedelta(hours=1) if state.staged else NOW
    return stage(state, release, target=TARGET, group="replicas-prod-asg", now=at)


def claimed(state: FleetState, snapshot: str = SNAPSHOT) -> FleetState:
    """The same fleet with a fresh claim on a snapshot."""
    claim = Claim(
        execution=EXECUTION, fence=1, snapshot=snapshot, trigger=Trigger.SCALE_OUT, claimed_at=NOW
    )
    return state.model_copy(update={"claim": claim, "fence": 1})


def test_a_staged_release_is_saved_and_not_live() -> None:
    state = staged()

    assert state.saved == CANDIDATE
    assert state.live == LIVE
    assert state.expected_snapshots() == {SNAPSHOT}


def test_staging_the_same_once_more_changes_nothing() -> None:
    state = staged()

    assert staged(state) is state


def test_a_newer_one_goes_back_to_what_was_proven_and_remembers_what_it_replaced() -> None:
    state = staged(staged(), NEWER)

    assert state.staged is not None
    assert state.staged.target == TARGET
    assert state.staged.replaced == CANDIDATE


def test_what_is_staged_on_a_staged_release_goes_back_to_the_first_target() -> None:
    saved = RollbackTarget(template=NEW, snapshot=SNAPSHOT)

    state = stage(staged(), NEWER, target=saved, group="replicas-prod-asg", now=NOW)

    assert state.staged is not None
    assert state.staged.target == TARGET


def test_what_is_staged_never_becomes_a_rollback_target() -> None:
    found = RollbackTarget(template=NEW, snapshot=SNAPSHOT)

    assert goes_back_to(staged(), NEW, found) == TARGET
    assert goes_back_to(FleetState(live=LIVE), NEW, found) == found
    assert goes_back_to(staged(), OLD, TARGET) == TARGET


@pytest.mark.parametrize(
    "outcome", [Outcome.LIVE, Outcome.ROLLED_BACK, Outcome.NEEDS_ATTENTION, Outcome.FLEET_NOT_READY]
)
def test_nothing_is_staged_any_more_after_any_other_outcome(outcome: Outcome) -> None:
    assert conclude_staging(staged(), outcome, SNAPSHOT).staged is None


def test_what_was_replaced_is_forgotten_when_the_newer_one_is_staged() -> None:
    state = conclude_staging(staged(staged(), NEWER), Outcome.STAGED, NEWER.snapshot)

    assert state.staged is not None
    assert (state.staged.release, state.staged.replaced) == (NEWER, None)


def test_one_that_could_not_be_saved_leaves_the_one_that_it_was_to_replace() -> None:
    state = conclude_staging(staged(staged(), NEWER), Outcome.FLEET_NOT_READY, NEWER.snapshot)

    assert state.staged is not None
    assert (state.staged.release, state.staged.replaced) == (CANDIDATE, None)


def test_the_end_of_another_snapshots_rollout_leaves_what_is_staged() -> None:
    state = staged()

    assert conclude_staging(state, Outcome.ROLLED_BACK, NEWER.snapshot) == state
    assert take_back(state, NEWER.snapshot) == state
    assert take_back(state, SNAPSHOT).staged is None


def test_the_watch_is_named_even_on_a_fleet_that_is_held() -> None:
    state = name_watch("sec-prod", staged().model_copy(update={"hold": HOLD}))

    assert state.successor is not None
    assert state.successor.name == f"sec-prod-{SNAPSHOT}-2"
    assert state.successor.trigger is Trigger.SCALE_OUT


def test_each_watch_has_a_name_of_its_own() -> None:
    once = name_watch("sec-prod", staged())

    again = name_watch("sec-prod", once.model_copy(update={"successor": None}))

    assert again.successor is not None
    assert again.successor.name == f"sec-prod-{SNAPSHOT}-3"


def test_no_watch_is_named_where_nothing_is_staged_or_somebody_has_the_fleet() -> None:
    assert name_watch("sec-prod", FleetState(live=LIVE)).successor is None
    assert name_watch("sec-prod", claimed(staged())).successor is None


def test_a_claim_on_what_is_staged_knows_candidate_and_target() -> None:
    claim = claim_staged("sec-prod", claimed(staged())).claim

    assert claim is not None
    assert (claim.candidate, claim.target) == (CANDIDATE, TARGET)


def test_a_claim_on_another_snapshot_knows_nothing_of_what_is_staged() -> None:
    claim = claim_staged("sec-prod", claimed(staged(), NEWER.snapshot)).claim

    assert claim is not None
    assert (claim.candidate, claim.target) == (None, None)


@pytest.mark.parametrize("reason", [None, "wrong data"])
def test_a_persons_repair_that_waited_for_the_watch_stops_it(reason: str | None) -> None:
    queued = Queued(snapshot=NEWER.snapshot, trigger=Trigger.PERSON, asked_at=NOW, reason=reason)
    state = claim_staged("sec-prod", claimed(staged()).model_copy(update={"queued": queued}))

    assert state.queued == queued
    assert state.claim is not None
    assert (state.claim.stop is None) == (reason is None)


def test_an_older_snapshot_does_not_wait_again_behind_the_watch() -> None:
    # Given an automatic request that came before the claim on what is staged
    queued = Queued(snapshot=NEWER.snapshot, trigger=Trigger.SNAPSHOT, asked_at=NOW, data_time=NOW)
    state = claimed(staged()).model_copy(update={"queued": queued})

    # Then it waits behind the claim as it waited before it
    assert claim_staged("sec-prod", state).queued == queued


def test_a_request_for_what_is_watched_has_nothing_to_wait_for() -> None:
    queued = Queued(snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, asked_at=NOW)

    state = claim_staged("sec-prod", claimed(staged()).model_copy(update={"queued": queued}))

    assert state.queued is None


@pytest.mark.parametrize("state", [staged(), FleetState(live=LIVE)])
def test_without_a_claim_there_is_nothing_to_tell_it(state: FleetState) -> None:
    assert claim_staged("sec-prod", state) == state


@pytest.mark.parametrize("held", [True, False])
def test_first_instances_are_watched_whoever_holds_the_fleet(*, held: bool) -> None:
    state = staged().model_copy(update={"hold": HOLD if held else None})

    found = decide(
        "sec-prod",
        state,
        snapshot_id=SNAPSHOT,
        snapshot=good_snapshot(),
        trigger=Trigger.SCALE_OUT,
        execution=EXECUTION,
        now=NOW,
    )

    assert found.skip is None
    assert "on fleet sec-prod are to be watched" in found.message


@pytest.mark.parametrize(
    ("state", "trigger", "skip"),
    [
        (FleetState(live=LIVE), Trigger.SCALE_OUT, SkipReason.SUPERSEDED),
        (staged(), Trigger.RECONCILE, SkipReason.ALREADY_STAGED),
        (staged(release=NEWER), Trigger.SNAPSHOT, SkipReason.SUPERSEDED),
    ],
    ids=["not staged any more", "staged already", "older than what is staged"],
)
def test_an_automatic_request_is_skipped_when(
    state: FleetState, trigger: Trigger, skip: SkipReason
) -> None:
    found = decide(
        "sec-prod",
        state,
        snapshot_id=SNAPSHOT,
        snapshot=good_snapshot(),
        trigger=trigger,
        execution=EXECUTION,
        now=NOW,
    )

    assert found.skip is skip
    if trigger is Trigger.SNAPSHOT:
        older = f"older than the staged release of fleet sec-prod ({NEWER.snapshot}, "
        assert older in found.message


def test_what_is_staged_does_not_stand_in_its_own_way() -> None:
    staged_one = good_snapshot(start_time=CANDIDATE.data_time)

    assert newer_live(staged(), staged_one) is None


def test_a_person_may_have_back_what_is_live_while_another_release_is_staged() -> None:
    live = good_snapshot(id=LIVE.snapshot, start_time=LIVE.data_time)

    found = decide(
        "sec-prod",
        staged(),
        snapshot_id=LIVE.snapshot,
        snapshot=live,
        trigger=Trigger.PERSON,
        execution=EXECUTION,
        now=NOW,
    )

    assert found.skip is None
    assert newer_live(staged(), live) == CANDIDATE.data_time
