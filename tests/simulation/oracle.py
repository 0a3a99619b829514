"""Which snapshots are fit to serve, decided apart from the product's gate.

Written from the design's words, in another shape than the gate, and from the world's own objects:
the two have nothing in common that could be wrong in both.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from embedded.scenarios.stage import DATA_GIB
from embedded.world.ec2.snapshot_store import Snapshot
from tests.simulation.scene import Scene
from tests.simulation.schedule import FleetSetup

DATA_TIME_TAG = "snaproll:data-time"
WAIVED = frozenset({"its data is not newer", "its data is too old"})
"""Faults that a person who gives a reason may overlook."""


def true_since(snapshot: Snapshot) -> datetime | None:
    """When the data in a snapshot was true; None when nobody can tell."""
    told = snapshot.tags.get(DATA_TIME_TAG)
    if told is not None:
        return datetime.fromisoformat(told)
    return None if snapshot.source_id is not None else snapshot.start_time


def unfit_because(scene: Scene, setup: FleetSetup, snapshot_id: str, live: str) -> list[str]:
    """Why a snapshot may not be rolled out at this moment; empty when it may.

    Parameters
    ----------
    live
        The snapshot that is live.
    """
    snapshot, serving = scene.world.ec2.snapshot(snapshot_id), scene.known(live)
    if snapshot is None or serving is None:
        return ["it does not exist"]
    since, live_since = true_since(snapshot), true_since(serving)
    key = snapshot.kms_key_id
    role = scene.world.ec2.service_linked_role
    oldest = scene.now - timedelta(seconds=setup.max_age) if setup.max_age else None
    faults = {
        "it is not completed": snapshot.state != "completed",
        "it belongs to another account": snapshot.owner_id != scene.world.account,
        "it is not encrypted": not snapshot.encrypted,
        "its key cannot be used": key is not None and not scene.world.kms.usable(key, role),
        "it is archived": snapshot.tier != "standard" or snapshot.restore_expiry is not None,
        "it is not the fleet's": not scene.fleet.tags.items() <= snapshot.tags.items(),
        "it does not fit the volume": snapshot.size_gib > DATA_GIB,
        "it is quarantined": scene.quarantined(snapshot_id),
        "its data has no time": since is None,
        "its data is not newer": since is not None
        and live_since is not None
        and since <= live_since,
        "its data is too old": since is not None and oldest is not None and since < oldest,
    }
    return [name for name, found in faults.items() if found]
