"""Every tag that snaproll reads or writes, in one place."""

from __future__ import annotations

from enum import StrEnum

PREFIX = "snaproll:"
"""What the keys of all tags begin with that are snaproll's own."""
FLEET = "snaproll:fleet"
"""Opt-in, on the group and on its launch template: the name of the fleet that may be rolled."""
ENVIRONMENT = "snaproll:environment"
"""Opt-in, beside the one above: the environment whose control plane may roll it."""
DATA_TIME = "snaproll:data-time"
"""On a snapshot, by its publisher: when the data was true, ISO 8601 with a time zone."""
WRITER = "snaproll:writer"
"""Opt-in, on a data volume and on the instance of a quiesce document: whose data it holds. On a
snapshot: who published it."""
PUBLISH = "snaproll:publish"
"""On a snapshot: the publish that took it. A step that is run again finds its snapshot by it."""
PUBLISH_MODE = "snaproll:publish-mode"
"""On a snapshot: whether fleets were to follow, or only a snapshot was asked for."""
_ROLE_PREFIX = "snaproll:role:"


class Role(StrEnum):
    """What a snapshot is to a fleet."""

    LIVE = "live"
    PREVIOUS = "previous"
    ROLLBACK_TARGET = "rollback-target"
    """While a rollout runs, and after one that needs a person: what it would go back to."""
    ROLLED_BACK = "rolled-back"
    REJECTED = "rejected"


def role_key(environment: str, fleet: str) -> str:
    """The key of the tag that says what a snapshot is to a fleet; its value is a ``Role``.

    With the environment, because staging may be fed from the snapshots that prod serves.
    """
    return f"{_ROLE_PREFIX}{environment}:{fleet}"
