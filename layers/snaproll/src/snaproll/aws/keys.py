"""KMS keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snaproll.aws.refusals import SDK_ERRORS, code_of, named
from snaproll.domain.gate import Key
from snaproll.errors import AccessDeniedError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class Keys:
    """The state of keys."""

    def __init__(self, kms: KMSClient) -> None:
        self._kms = kms

    def get(self, key_id: str) -> Key:
        """A key and its state; a key that is gone or may not be seen says so in its state."""
        try:
            metadata = self._kms.describe_key(KeyId=key_id)["KeyMetadata"]
        except SDK_ERRORS as error:
            if code_of(error) in ("NotFoundException", "InvalidArnException"):
                return Key(arn=key_id, state="it does not exist")
            refusal = named(error, f"describe the key {key_id}")
            if isinstance(refusal, AccessDeniedError):
                return Key(arn=key_id, state="this account may not use it")
            raise refusal from error
        return Key(arn=metadata["Arn"], state=metadata.get("KeyState", "unknown"))
