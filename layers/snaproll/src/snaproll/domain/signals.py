"""How a waiting rollout is woken, once, and how often at most."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from snaproll.domain.ledger import FleetState, Seen, Waiting

WAKE_GAP = timedelta(seconds=30)
"""After a signal woke a rollout, further ones within this time are merged into one later look."""


def signal(state: FleetState, now: datetime) -> tuple[FleetState, str | None]:
    """Count a signal; the token to wake the rollout with, or None when none need be woken.

    A signal within ``WAKE_GAP`` of the last wake only counts: the look that follows that wake
    sleeps no longer than the gap, so it is seen then.
    """
    counted = state.model_copy(update={"signals": state.signals + 1})
    if state.waiting is None or within_gap(state.woken_at, now):
        return counted, None
    return counted.model_copy(update={"woken_at": now}), state.waiting.token


def begin_wait(
    state: FleetState, *, token: str, fence: int, seen: Seen, now: datetime
) -> tuple[FleetState, bool]:
    """Store a token to be woken by; True when a signal came meanwhile and the wait ends at once."""
    present = state.waiting
    if present is not None and present.fence == fence and present.seen_at > seen.at:
        # A function that was very late: its task has timed out, and another waits already.
        return state, False
    waiting = state.model_copy(
        update={"waiting": Waiting(token=token, fence=fence, seen_at=seen.at)}
    )
    if state.signals == seen.signals:
        return waiting, False
    if state.woken_at == seen.woken_at and within_gap(state.woken_at, now):
        return waiting, False
    return state.model_copy(update={"waiting": None, "woken_at": now}), True


def within_gap(woken_at: datetime | None, now: datetime) -> bool:
    """Whether the last wake by a signal is so recent that the next must wait."""
    return woken_at is not None and now - woken_at < WAKE_GAP


def shorten_after_wake(wait_seconds: int, seen: Seen, now: datetime) -> int:
    """How long to sleep after a look: not past the gap when a signal woke the rollout for it."""
    if not within_gap(seen.woken_at, now):
        return wait_seconds
    return min(wait_seconds, math.ceil(WAKE_GAP.total_seconds()))
