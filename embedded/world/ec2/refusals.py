"""Refusals of launches that have nothing to do with what is launched, for scenarios to set."""

from __future__ import annotations

from enum import Enum

from embedded.world.ec2.instance import LaunchRefusedError


class LaunchRefusal(Enum):
    """Code and sentence of a refusal (EC2 API reference, "Error codes").

    The sentences are those that people report; the reference does not give them.
    """

    VCPU_QUOTA = (
        "VcpuLimitExceeded",
        (
            "You have requested more vCPU capacity than your current vCPU limit of 32 allows for "
            "the instance bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
        ),
    )
    NO_ADDRESSES = (
        "InsufficientFreeAddressesInSubnet",
        (
            "There are not enough free addresses in subnet 'subnet-0aaaaaaaaaaaaaaa1' to satisfy "
            "the requested number of instances."
        ),
    )
    THROTTLED = ("RequestLimitExceeded", "Request limit exceeded.")


def refuse_while(refusal: LaunchRefusal | None) -> None:
    """Refuse a launch while there is a reason to.

    Raises
    ------
    LaunchRefusedError
        With the refusal's sentence.
    """
    if refusal is not None:
        code, message = refusal.value
        raise LaunchRefusedError(message, code=code)
