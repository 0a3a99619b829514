"""What an Auto Scaling group did of late, and why."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from snaproll.aws.refusals import named_errors
from snaproll.domain.failures import FailedLaunch

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import ActivityTypeDef

_PAGE = 100
_MOST_PAGES = 6
"""A look may take twelve calls when it decides; without activities it takes six. What was done
longer ago than so many activities stays unexplained, and is no evidence against anything."""
_TERMINATION = re.compile(r"Terminating EC2 instance: (i-[0-9a-f]+)")

_Page = list["ActivityTypeDef"]


class Activities:
    """A group's scaling activities as one look reads them: the newest first, each page once."""

    def __init__(self, autoscaling: AutoScalingClient, group: str) -> None:
        self._autoscaling = autoscaling
        self._group = group
        self._read: list[_Page] = []

    def why_taken_out(self, instance_ids: Collection[str], since: datetime) -> dict[str, str]:
        """Why instances were terminated, by the activities since an instant.

        Reading stops where every instance was found.
        """
        causes: dict[str, str] = {}
        wanted = set(instance_ids)
        if not wanted:
            return causes
        for page in self._pages():
            causes |= _terminations(page, wanted)
            if wanted <= causes.keys() or (page and page[-1]["StartTime"] < since):
                break
        return causes

    def failed_launches(self, since: datetime) -> list[FailedLaunch]:
        """Those of the newest activities since an instant that launched nothing, newest first."""
        return [
            FailedLaunch(one.get("StatusMessage", "") or "no message")
            for one in next(self._pages(), [])
            if one["StatusCode"] in ("Failed", "Cancelled")
            and one["StartTime"] >= since
            and one.get("Description", "").startswith("Launching")
        ]

    def _pages(self) -> Iterator[_Page]:
        """The newest pages; those that were read before are not read again."""
        yield from self._read
        with named_errors(f"list the activities of the group {self._group}"):
            for page in islice(self._unread, _MOST_PAGES - len(self._read)):
                self._read.append(page)
                yield page

    @cached_property
    def _unread(self) -> Iterator[_Page]:
        pages = self._autoscaling.get_paginator("describe_scaling_activities").paginate(
            AutoScalingGroupName=self._group, PaginationConfig={"PageSize": _PAGE}
        )
        return (page["Activities"] for page in pages)


def _terminations(activities: Iterable[ActivityTypeDef], wanted: set[str]) -> dict[str, str]:
    """The causes of those activities that terminated a wanted instance, by its id."""
    found = {}
    for activity in activities:
        # "Terminating EC2 instance: i-…", with more behind the id on some activities.
        termination = _TERMINATION.match(activity.get("Description", ""))
        if termination and termination[1] in wanted:
            found[termination[1]] = activity["Cause"]
    return found
