"""Releases, and the launch template version that makes one launchable."""

from __future__ import annotations

from snaproll.model import Instant, Value


class TemplateVersion(Value):
    """A launch template version by number; never ``$Latest`` or ``$Default``."""

    template_id: str
    version: int

    def __str__(self) -> str:
        return f"{self.template_id} version {self.version}"


class Release(Value):
    """A snapshot made launchable for one fleet.

    ``data_time`` is None only for a release that snaproll found on the group when it first came
    to the fleet.
    """

    snapshot: str
    template: TemplateVersion
    data_time: Instant | None = None


class RollbackTarget(Value):
    """The configuration saved on the group when the fleet was claimed.

    ``snapshot`` is None when its data volume is empty, as on a fleet that never had data. ``lost``
    is why nothing could be rolled back to it when the rollout began, which a person allowed.
    """

    template: TemplateVersion
    snapshot: str | None = None
    lost: str | None = None
