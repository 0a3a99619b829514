"""Telling what is not there from what cannot be seen yet."""

from __future__ import annotations

from datetime import datetime, timedelta

from snaproll.contracts.rollout import Rollout
from snaproll.domain.group import Group, Refresh
from snaproll.domain.ledger import Claim, RefreshNote
from snaproll.domain.release import TemplateVersion
from snaproll.domain.snapshot import Snapshot
from snaproll.errors import NotYetVisibleError, RefreshRefusedError
from snaproll.runtime import Runtime

_UNSEEN = timedelta(minutes=2)
"""For so long after it started, a refresh that is not described is not taken for gone."""

_UNSEEN_SNAPSHOT = timedelta(seconds=30)
"""Likewise for a snapshot, after the rollout began. The tries of a state last some 90 s on average,
by chance also much less; a mistyped id is to be told as such and not as a dead execution."""


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


def started_by(
    claim: Claim, group: Group, version: TemplateVersion, runtime: Runtime
) -> Refresh | None:
    """The refresh to a version that was started under this claim, ended or not."""
    return runtime.refreshes.to_version_since(group.name, version, _since(claim))


def ours_in_progress(
    claim: Claim,
    group: Group,
    version: TemplateVersion,
    runtime: Runtime,
    refusal: RefreshRefusedError,
) -> str:
    """The refresh that Auto Scaling refused something for, when this rollout started it; its id.

    One look has to tell whose it is: of two, the second may show what the first did not show yet.

    Raises
    ------
    RefreshRefusedError
        It is another's.
    NotYetVisibleError
        It is not described yet.
    """
    active = runtime.refreshes.active(group.name)
    if active is None:
        # Reads lag behind: it may well be the one that this step started before.
        raise NotYetVisibleError(f"{refusal} It cannot be seen yet.") from refusal
    if active.desired == version and (active.started is None or active.started >= _since(claim)):
        return active.id
    raise RefreshRefusedError(str(refusal)) from refusal


def appeared(rollout: Rollout, runtime: Runtime) -> Snapshot | None:
    """The rollout's snapshot; None when EC2 knows none of that id.

    Raises
    ------
    NotYetVisibleError
        The rollout began a moment ago: whoever asked for it may have seen the snapshot, or its
        completion, which reads elsewhere do not show yet (EC2 API reference, "Eventual
        consistency").
    """
    found = runtime.snapshots.get(rollout.snapshot)
    if runtime.now() - rollout.started_at < _UNSEEN_SNAPSHOT:
        if found is None:
            raise NotYetVisibleError(f"{rollout.snapshot} cannot be seen, or not yet.")
        if found.state == "pending":
            raise NotYetVisibleError(f"{rollout.snapshot} is not seen to be completed, or not yet.")
    return found


def _since(claim: Claim) -> datetime:
    """From when on a refresh may be this rollout's, in the whole seconds of Auto Scaling."""
    return claim.claimed_at.replace(microsecond=0)
