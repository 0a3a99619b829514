"""Reads that lag behind: what AWS calls eventual consistency.

Sources: EC2 API reference, "Eventual consistency in the Amazon EC2 API" (a command may not be seen
at once by the next ones, what was created may be answered with NotFound); DynamoDB developer
guide, "Read consistency" (a read that does not ask for a consistent answer may miss recent
writes). Of Auto Scaling no page says that its reads are consistent: the harsher reading is that
they are not.

The lag is a knob, zero by default. A read lags in two ways:

- what was created within the lag is not in the answer, or is answered as not found;
- what was changed within the lag is answered as it was before. A question that was asked before is
  answered as then, if that was within the lag, or as it would have been answered right before the
  oldest change within it. A question that nobody asked before has no older answer to give.

Only reads lag. A change is always made on what is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from embedded.world.errors import AwsError
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.faults import Call
    from embedded.world.service import Params, Reply

READING: Final = ("Describe", "Get", "List", "Query")
LAGGING: Final = frozenset({"autoscaling", "dynamodb", "ec2"})
"""Services whose reads lag. Step Functions' DescribeExecution and ListExecutions do on AWS as well
(API model), Parameter Store's and the load balancer's are not said to."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_MOST_QUESTIONS: Final = 50
"""Distinct questions of a service that are answered with what was; older ones lag no more."""


@dataclass
class _Answer:
    at: datetime
    reply: Reply


class Staleness:
    """Lets reads lag.

    Parameters
    ----------
    perform
        Carries out an operation as it is now, past every fault.
    """

    def __init__(
        self, now: Callable[[], datetime], perform: Callable[[str, str, Params], Reply]
    ) -> None:
        self._now = now
        self._perform = perform
        self._seconds = 0.0
        self._until: datetime | None = None
        self._asked: dict[str, dict[str, tuple[str, Params, _Answer]]] = {}

    def lag(self, seconds: float, *, until: datetime | None = None) -> None:
        """Let reads lag by so many seconds from now on, or only until an instant; 0 ends it."""
        self._seconds = seconds
        self._until = until
        self._asked.clear()

    @property
    def seconds(self) -> float:
        """How far reads lag now."""
        if self._until is not None and self._now() >= self._until:
            self.lag(0)
        return self._seconds

    def before(self, call: Call) -> None:
        """Keep what is about to be changed, as it would be answered now."""
        if not self._seconds or call.service not in LAGGING or _reads(call):
            return
        now, oldest = self._now(), self._now() - timedelta(seconds=self.seconds)
        for operation, params, answer in self._asked.get(call.service, {}).values():
            if answer.at < oldest:
                try:
                    answer.reply = self._perform(call.service, operation, copied(params))
                except AwsError:
                    continue
                answer.at = now

    def seen(self, call: Call, reply: Reply) -> Reply:
        """What the caller is shown of an answer."""
        if not self._seconds or call.service not in LAGGING or not _reads(call):
            return reply
        if call.params.get("ConsistentRead"):
            return reply
        seconds = self.seconds
        if not seconds:
            return reply
        oldest = self._now() - timedelta(seconds=seconds)
        hide = _HIDERS.get(call.operation)
        return self._older(call, hide(call.params, reply, oldest) if hide else reply, oldest)

    def _older(self, call: Call, reply: Reply, oldest: datetime) -> Reply:
        asked = self._asked.setdefault(call.service, {})
        key = f"{call.operation}{json.dumps(call.params, sort_keys=True, default=str)}"
        known = asked.get(key)
        if known is not None and known[2].at >= oldest:
            return dict(copied(known[2].reply))
        if len(asked) >= _MOST_QUESTIONS:
            asked.pop(next(iter(asked)))
        asked[key] = (call.operation, copied(call.params), _Answer(self._now(), copied(reply)))
        return reply


def _reads(call: Call) -> bool:
    return call.operation.startswith(READING)


def _without_new_versions(params: Params, reply: Reply, oldest: datetime) -> Reply:
    kept = [one for one in reply["LaunchTemplateVersions"] if one["CreateTime"] <= oldest]
    if not kept and reply["LaunchTemplateVersions"] and params.get("Versions"):
        template, version = params.get("LaunchTemplateId", ""), params["Versions"][0]
        raise AwsError(
            "InvalidLaunchTemplateId.VersionNotFound",
            f"Could not find the specified version {version} for the launch template with ID"
            f" {template}.",
        )
    return {**reply, "LaunchTemplateVersions": kept}


def _without_new_snapshots(params: Params, reply: Reply, oldest: datetime) -> Reply:
    begun = [_as_it_was(one, oldest) for one in reply["Snapshots"] if one["StartTime"] <= oldest]
    asked = {one["Name"]: one["Values"] for one in params.get("Filters", ())}
    kept = [one for one in begun if one["State"] in asked.get("status", (one["State"],))]
    if not kept and params.get("SnapshotIds"):
        missing = params["SnapshotIds"][0]
        raise AwsError("InvalidSnapshot.NotFound", f"The snapshot '{missing}' does not exist.")
    return {**reply, "Snapshots": kept}


def _as_it_was(snapshot: Reply, oldest: datetime) -> Reply:
    """A snapshot whose completion is not seen yet is still pending."""
    if snapshot.get("CompletionTime", oldest) <= oldest:
        return snapshot
    kept = {name: value for name, value in snapshot.items() if name != "CompletionTime"}
    return {**kept, "State": "pending", "Progress": "99%"}


def _without_new_refreshes(_: Params, reply: Reply, oldest: datetime) -> Reply:
    kept = [one for one in reply["InstanceRefreshes"] if _first_known(one) <= oldest]
    return {**reply, "InstanceRefreshes": kept}


def _first_known(refresh: Reply) -> datetime:
    # One that is still pending has no StartTime, and was made a moment ago; one that was cancelled
    # then never gets one.
    known: datetime = refresh.get("StartTime") or refresh.get("EndTime") or _NEVER
    return known


_HIDERS: Final[Mapping[str, Callable[[Any, Any, datetime], Any]]] = {
    "DescribeLaunchTemplateVersions": _without_new_versions,
    "DescribeSnapshots": _without_new_snapshots,
    "DescribeInstanceRefreshes": _without_new_refreshes,
}
