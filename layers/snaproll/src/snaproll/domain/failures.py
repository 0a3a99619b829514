"""Why instances could not be launched, as scaling activities say it, and what to do about it.

No failed launch says anything of the data that an instance would have served: whatever the kind,
and also where the words are not known, the snapshot is not condemned for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from snaproll.domain.wording import counted


class FailureKind(StrEnum):
    """What a launch failed for."""

    CAPACITY = "capacity"
    QUOTA = "quota"
    ADDRESSES = "addresses"
    THROTTLING = "throttling"
    KEY = "key"
    SNAPSHOT = "snapshot"
    TEMPLATE = "template"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FailedLaunch:
    """A scaling activity that launched nothing: its StatusMessage, or that of its status code."""

    message: str


_KNOWN: tuple[tuple[FailureKind, tuple[str, ...]], ...] = (
    # "Troubleshoot: EC2 instance launch failures" (Auto Scaling user guide), each by its constant
    # part; the error codes of RunInstances stand beside, because activities repeat either.
    (
        FailureKind.QUOTA,
        (
            "vCPU limit",  # VcpuLimitExceeded (EC2 API reference, "Error codes")
            "VcpuLimitExceeded",
            "instance limit",  # InstanceLimitExceeded
            "InstanceLimitExceeded",
            "instance(s) are already running",
            "VolumeLimitExceeded",
            "MaxIOPSLimitExceeded",
            "rate of",  # VolumeInitializationRateLimitExceeded
        ),
    ),
    (
        FailureKind.CAPACITY,
        (
            "do not have sufficient",
            "InsufficientInstanceCapacity",
            "no Spot capacity available",
            "does not have sufficient compatible and available capacity",
            "is not active yet",
        ),
    ),
    (
        FailureKind.ADDRESSES,
        ("enough free addresses in subnet", "InsufficientFreeAddressesInSubnet"),
    ),
    (
        FailureKind.THROTTLING,
        ("Request limit exceeded", "RequestLimitExceeded", "Rate exceeded"),
    ),
    (
        FailureKind.KEY,
        # What the guide gives for an encrypted volume whose key the role may not use.
        ("Client error on launch", "Client.InternalError", "InvalidKMSKey", "KMS key"),
    ),
    (
        FailureKind.SNAPSHOT,
        ("The snapshot '", "InvalidSnapshot", "Snapshot '", "smaller than snapshot"),
    ),
    (
        FailureKind.TEMPLATE,
        (
            "configuration is currently not supported",
            "security group",
            "key pair",
            "is not supported in your requested Availability Zone",
            "Invalid device name",
            "for parameter virtualName is invalid",
            "block device mappings not supported",
            "lacement group",
            "launch template",
            "image id",
            "InvalidAMIID",
            "encrypted flag",
        ),
    ),
)

_REMEDY = {
    FailureKind.CAPACITY: "more zones or instance types in the group help",
    FailureKind.QUOTA: "ask for a higher quota in Service Quotas, or lower max_healthy",
    FailureKind.ADDRESSES: "free addresses in the subnet, or add one to the group",
    FailureKind.THROTTLING: "it passes by itself; something in the account calls EC2 too often",
    FailureKind.KEY: "look at the state and the policy of the snapshot's KMS key",
    FailureKind.SNAPSHOT: "the snapshot is gone, archived or too large for its volume",
    FailureKind.TEMPLATE: "correct the launch template",
    FailureKind.UNKNOWN: "look at the group's activities",
}


def classify(message: str) -> FailureKind:
    """What a launch failed for, by its activity's message; unknown words stay unknown."""
    for kind, words in _KNOWN:
        if any(word in message for word in words):
            return kind
    return FailureKind.UNKNOWN


def told(failed: Iterable[FailedLaunch]) -> str:
    """What the failed launches come to, in half a sentence; empty when there are none.

    The kind that came most often speaks for itself, with its newest message.
    """
    every = list(failed)
    if not every:
        return ""
    kinds = Counter(classify(one.message) for one in every)
    kind = kinds.most_common()[0][0]
    message = next(one.message for one in every if classify(one.message) is kind)
    return (
        f"{kinds[kind]} of {counted(len(every), 'failed attempt')} to launch an instance: {kind} "
        f'("{message.rstrip(". ")}"; {_REMEDY[kind]})'
    )
