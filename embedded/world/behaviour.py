"""What an instance does after it was launched: decided by the snapshot that its data came from.

AWS does not know what is on a volume; the world does. A snapshot tagged
``embedded:scenario = corrupt`` makes instances that boot and never serve, and so on. The tag is
the only channel: nothing that asks AWS can tell a corrupt snapshot from a good one beforehand.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SCENARIO_TAG = "embedded:scenario"
"""The tag on a snapshot that decides what its instances do."""


class Scenario(StrEnum):
    """What the data in a snapshot does to the instances that serve it."""

    HEALTHY = "healthy"
    CORRUPT = "corrupt"
    """The instance boots and answers every health check with an error, for ever."""
    DEGRADES = "degrades"
    """Healthy at first; answers with errors for ever from some minutes after its first answer."""
    SLOW = "slow"
    """Refuses connections for a long time, then is healthy."""
    FLAPPING = "flapping"
    """Answers for a while, hangs for a while, in turns."""


_WORST_FIRST = (
    Scenario.CORRUPT,
    Scenario.DEGRADES,
    Scenario.FLAPPING,
    Scenario.SLOW,
    Scenario.HEALTHY,
)


def worst(scenarios: Iterable[Scenario]) -> Scenario:
    """Give the worst of what several volumes do to one instance; healthy when there are none."""
    return min(scenarios, key=_WORST_FIRST.index, default=Scenario.HEALTHY)


class Symptom(StrEnum):
    """How an instance fails a health check, which decides the reason that the target shows."""

    REFUSES = "refuses"
    """Nothing listens yet: the connection is refused."""
    ERRORS = "errors"
    """It answers with HTTP 503."""
    HANGS = "hangs"
    """It accepts the connection and never answers."""


@dataclass(frozen=True)
class Behaviour:
    """How long things take. All durations are seconds of emulated time.

    AWS promises none of these; they are typical values, each overridable per world with
    ``dataclasses.replace`` on ``world.ec2.behaviour``.
    """

    boot_seconds: float = 30.0
    """From ``pending`` to ``running``."""
    start_seconds: float = 60.0
    """From ``running`` to the first answer: mounting the volume and starting the service."""
    slow_start_seconds: float = 1500.0
    """The same for ``slow``: longer than the grace that a fleet usually gives."""
    degrade_after_seconds: float = 900.0
    """From the first answer of ``degrades`` to its first failure."""
    flap_seconds: float = 240.0
    """How long ``flapping`` answers, and then hangs."""
    shutdown_seconds: float = 40.0
    """From ``shutting-down`` to ``terminated``."""
    failed_launch_seconds: float = 12.0
    """From ``pending`` to ``terminated`` when a volume's key cannot be used."""
    snapshot_seconds: float = 600.0
    """From CreateSnapshot or CopySnapshot to ``completed``."""
    volume_seconds: float = 3.0
    """From CreateVolume to ``available``."""
    archive_seconds: float = 24 * 3600.0
    """From ModifySnapshotTier to the archive tier; the snapshot stays usable until then."""
    restore_seconds: float = 72 * 3600.0
    """From RestoreSnapshotTier to the standard tier: AWS says up to 72 hours."""
    lazy_hydration_mib_per_second: float = 60.0
    """How fast a volume is filled from its snapshot when no rate is asked for."""
    jitter: float = 0.1
    """Boot, start and shutdown vary by up to this share in both directions."""

    def varied(self, seconds: float, dice: random.Random) -> float:
        """``seconds`` with this behaviour's jitter applied."""
        return seconds * (1.0 + self.jitter * (2.0 * dice.random() - 1.0))
