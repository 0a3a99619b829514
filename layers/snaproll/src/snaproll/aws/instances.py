"""EC2 instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snaproll.aws.refusals import named_errors

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

_FILTER_VALUES = 200
"""Most values of one filter (EC2 API reference, "Filter")."""


class Instances:
    """Instances by id."""

    def __init__(self, ec2: EC2Client) -> None:
        self._ec2 = ec2

    def addresses(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """The private address of each instance that has one; 200 to a call.

        An instance that is gone is left out: it is filtered for, since one unknown among ids that
        are named fails the whole call. One in a subnet for IPv6 alone is told by that address.
        """
        found = {}
        for start in range(0, len(instance_ids), _FILTER_VALUES):
            batch = list(instance_ids[start : start + _FILTER_VALUES])
            pages = self._ec2.get_paginator("describe_instances").paginate(
                Filters=[{"Name": "instance-id", "Values": batch}]
            )
            with named_errors("describe new instances"):
                for page in pages:
                    for reservation in page["Reservations"]:
                        for one in reservation.get("Instances", []):
                            address = one.get("PrivateIpAddress") or one.get("Ipv6Address")
                            if address:
                                found[one.get("InstanceId", "")] = address
        return found
