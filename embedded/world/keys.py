"""Keys and grants as the world holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embedded.world.service import Reply


@dataclass
class Grant:
    """The use of a key given to one principal."""

    id: str
    grantee: str
    operations: list[str]
    created: datetime
    name: str | None
    retiring: str | None
    constraints: dict[str, Any]


@dataclass
class Key:
    """One KMS key. ``policy`` is the JSON text that GetKeyPolicy returns."""

    id: str
    arn: str
    account: str
    created: datetime
    policy: str
    description: str = ""
    state: str = "Enabled"
    manager: str = "CUSTOMER"
    deletion_date: datetime | None = None
    valid_to: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)


def metadata(key: Key) -> Reply:
    """A key as KMS's ``KeyMetadata`` shape."""
    shape: Reply = {
        "AWSAccountId": key.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created,
        "Enabled": key.state == "Enabled",
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": key.state,
        "Origin": "EXTERNAL" if key.valid_to else "AWS_KMS",
        "KeyManager": key.manager,
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }
    if key.deletion_date:
        shape["DeletionDate"] = key.deletion_date
    if key.valid_to:
        shape["ValidTo"] = key.valid_to
        shape["ExpirationModel"] = "KEY_MATERIAL_EXPIRES"
    return shape
