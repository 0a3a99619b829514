"""KMS keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snaproll.aws.refusals import SDK_ERRORS, code_of, named
from snaproll.domain.key_access import Access, Grant, access
from snaproll.domain.launchable import Key
from snaproll.errors import AccessDeniedError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_AWS_MANAGED = "AWS"


class Keys:
    """The state of keys, and whom they admit."""

    def __init__(self, kms: KMSClient) -> None:
        self._kms = kms

    def get(self, key_id: str, role_arn: str | None) -> Key:
        """A key, its state, and whether a role may use it for volumes.

        A key that is gone or may not be seen says so in its state. A policy that may not be read
        leaves it open whom the key admits; so does a group that names no role.
        """
        try:
            metadata = self._kms.describe_key(KeyId=key_id)["KeyMetadata"]
        except SDK_ERRORS as error:
            if code_of(error) in ("NotFoundException", "InvalidArnException"):
                return Key(arn=key_id, state="it does not exist")
            refusal = named(error, f"describe the key {key_id}")
            if isinstance(refusal, AccessDeniedError):
                return Key(arn=key_id, state="this account may not use it", hidden=True)
            raise refusal from error
        arn, state = metadata["Arn"], metadata.get("KeyState", "unknown")
        if metadata.get("KeyManager") == _AWS_MANAGED:
            # The key aws/ebs serves everybody in its account who may use EBS.
            return Key(arn, state, Access.ADMITTED, "it is managed by AWS")
        if not role_arn:
            return Key(arn, state, Access.UNKNOWN, "the group names no role")
        return Key(arn, state, *self._access(arn, role_arn))

    def _access(self, arn: str, role_arn: str) -> tuple[Access, str]:
        policy = self._policy(arn)
        by_policy = access(policy, (), role_arn)
        if by_policy[0] is Access.ADMITTED:
            return by_policy
        grants = self._grants(arn, role_arn)
        if grants is None:
            return Access.UNKNOWN, "the key's grants may not be listed"
        return access(policy, grants, role_arn)

    def _policy(self, arn: str) -> Mapping[str, Any] | None:
        """The key's policy; None when it may not be read, as that of another account's key."""
        try:
            text = self._kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
        except SDK_ERRORS as error:
            refusal = named(error, f"read the policy of the key {arn}")
            if isinstance(refusal, AccessDeniedError) or code_of(error) == "NotFoundException":
                return None
            raise refusal from error
        policy: Mapping[str, Any] = json.loads(text)
        return policy

    def _grants(self, arn: str, role_arn: str) -> list[Grant] | None:
        try:
            pages = self._kms.get_paginator("list_grants").paginate(
                KeyId=arn, GranteePrincipal=role_arn
            )
            return [
                Grant(frozenset(one.get("Operations", [])), bool(one.get("Constraints")))
                for page in pages
                for one in page["Grants"]
            ]
        except SDK_ERRORS as error:
            refusal = named(error, f"list the grants of the key {arn}")
            if isinstance(refusal, AccessDeniedError):
                return None
            raise refusal from error
