"""Telling, once, when what is live could not be launched again."""

from __future__ import annotations

from collections.abc import Mapping

from snaproll.aws.overview import Known
from snaproll.contracts.announcements import ComparisonEvent
from snaproll.domain.fleet import Fleet
from snaproll.domain.launchable import Key, trouble_with
from snaproll.domain.problems import Problem, ProblemKind
from snaproll.domain.snapshot import Snapshot
from snaproll.runtime import Runtime


class LiveSnapshots:
    """The live snapshots of some fleets, read together, and each of their keys once."""

    def __init__(self, snapshots: Mapping[str, Snapshot], runtime: Runtime) -> None:
        self._snapshots = snapshots
        self._runtime = runtime
        self._keys: dict[str, Key] = {}

    def trouble(self, snapshot_id: str) -> str | None:
        """Why no instance could be launched from one of them now."""
        snapshot = self._snapshots.get(snapshot_id)
        key = self._key(snapshot.kms_key if snapshot else None)
        return trouble_with(snapshot_id, snapshot, key)

    def _key(self, key_id: str | None) -> Key | None:
        if key_id is None:
            return None
        if key_id not in self._keys:
            self._keys[key_id] = self._runtime.keys.get(key_id, None)
        return self._keys[key_id]


def check_live(fleet: Fleet, known: Known, snapshots: LiveSnapshots, runtime: Runtime) -> None:
    """Call a person when the live snapshot of a fleet could not be launched again."""
    live, told = known.state.live, known.problem(ProblemKind.LIVE)
    trouble = snapshots.trouble(live.snapshot) if live is not None else None
    if live is None or trouble is None:
        if told is not None:
            runtime.overview.forget(fleet.name, ProblemKind.LIVE)
        return
    if told is not None and told.key == trouble:
        return
    message = (
        f"Fleet {fleet.name} could not launch another instance: {trouble}, and it is live. What "
        f"runs goes on; what is lost cannot be replaced, and no rollout could be rolled back. Make "
        f"the snapshot and its key usable again, or publish a new one and start it with "
        f'{{"fleet": "{fleet.name}", "allow_no_rollback": true, "reason": "…"}}.'
    )
    runtime.announcements.publish(
        "Needs Attention",
        ComparisonEvent(
            environment=runtime.settings.environment,
            fleet=fleet.name,
            snapshot=live.snapshot,
            message=message,
        ),
    )
    runtime.overview.remember(
        fleet.name,
        ProblemKind.LIVE,
        Problem(key=trouble, message=message, since=runtime.now()),
    )
