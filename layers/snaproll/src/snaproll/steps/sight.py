"""Telling what is not there from what cannot be seen yet."""

from __future__ import annotations

from datetime import timedelta

from snaproll.domain.group import Refresh
from snaproll.domain.ledger import RefreshNote
from snaproll.errors import NotYetVisibleError
from snaproll.runtime import Runtime

_UNSEEN = timedelta(minutes=2)
"""For so long after it started, a refresh that is not described is not taken for gone."""


def watched_refresh(group: str, note: RefreshNote, runtime: Runtime) -> Refresh | None:
    """The refresh that a rollout watches; None without one, or when it is not known any more.

    Raises
    ------
    NotYetVisibleError
        It was started a moment ago, and reads may lag behind that.
    """
    if note.id is None:
        return None
    found = runtime.refreshes.get(group, note.id)
    if found is None and runtime.now() - note.started_at < _UNSEEN:
        raise NotYetVisibleError(
            f"The refresh {note.id} of {group} was just started and cannot be seen yet."
        )
    return found
