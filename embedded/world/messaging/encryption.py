"""Whether a service that sends to an encrypted topic or queue may use its key.

SNS developer guide, "Managing Amazon SNS encryption keys and costs": a service principal needs
``kms:GenerateDataKey*`` and ``kms:Decrypt`` in the policy of a customer key, and the AWS managed
key lets none in. For EventBridge, conditions on the source are not supported there: it tells none.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.policies import Request, admits

if TYPE_CHECKING:
    from embedded.world.world import World

NEEDED: Final = ("kms:GenerateDataKey", "kms:Decrypt")
EVENTS: Final = "events.amazonaws.com"


def check_key(world: World, key_id: str, request: Request) -> None:
    """See whether the service of ``request`` may use the key of what it sends to.

    Raises
    ------
    AwsError
        ``KMSAccessDenied``, ``KMSDisabled`` or ``KMSNotFound``, as SNS answers.
    """
    if key_id.startswith("alias/aws/"):
        raise _denied(request, "the policy of an AWS managed key lets no service in")
    try:
        key = world.kms.perform("DescribeKey", {"KeyId": key_id})["KeyMetadata"]
    except NotEmulatedError:
        raise
    except AwsError as error:
        raise AwsError("KMSNotFound", error.message) from error
    if not key["Enabled"]:
        raise AwsError("KMSDisabled", f"{key['Arn']} is {key['KeyState']}.")
    policy = json.loads(world.kms.perform("GetKeyPolicy", {"KeyId": key["KeyId"]})["Policy"])
    if request.service == EVENTS:
        request = replace(request, source_arn=None, source_account=None)
    for action in NEEDED:
        if not admits(policy, replace(request, action=action, resource=key["Arn"])):
            raise _denied(request, f"the policy of {key['Arn']} does not allow {action}")


def _denied(request: Request, why: str) -> AwsError:
    return AwsError("KMSAccessDenied", f"{request.service}: {why}")
