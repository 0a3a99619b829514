"""What a fleet serves, where other stacks and applications look for it: Parameter Store."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from snaproll.aws.refusals import named_errors

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

UNKNOWN = "unknown"
"""The data time of a release that has none; a parameter cannot be empty."""


class LiveParameters:
    """The parameters ``/snaproll/<environment>/live/<fleet>/…`` of one environment.

    ``snapshot`` is the live snapshot's id, ``data-time`` when its data was true (ISO 8601, UTC).
    The fleet's own stack reads the first, so that a stack update launches what is live.
    """

    def __init__(self, ssm: SSMClient, environment: str) -> None:
        self._ssm = ssm
        self._path = f"/snaproll/{environment}/live"

    def snapshot(self, fleet: str) -> str | None:
        """The snapshot that is published as live; None when none is."""
        return self._published(fleet).get(self._name(fleet, "snapshot"))

    def publish(self, fleet: str, snapshot: str, data_time: datetime | None) -> None:
        """Make a snapshot known as the live one; what is there already is not written again.

        The snapshot comes last: whoever reads a new one finds a data time that belongs to it.
        """
        at = data_time.isoformat(timespec="seconds") if data_time is not None else UNKNOWN
        wanted = {self._name(fleet, "data-time"): at, self._name(fleet, "snapshot"): snapshot}
        published = self._published(fleet)
        for name, value in wanted.items():
            if published.get(name) != value:
                with named_errors(f"write the parameter {name}"):
                    self._ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    def _published(self, fleet: str) -> dict[str, str]:
        names = [self._name(fleet, "data-time"), self._name(fleet, "snapshot")]
        with named_errors(f"read the parameters under {self._path}/{fleet}"):
            found = self._ssm.get_parameters(Names=names)["Parameters"]
        return {one.get("Name", ""): one.get("Value", "") for one in found}

    def _name(self, fleet: str, what: str) -> str:
        return f"{self._path}/{fleet}/{what}"
