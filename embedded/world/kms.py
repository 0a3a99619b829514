"""KMS as far as encrypted volumes need it: keys, their states, policies, grants and aliases."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.key_access import default_policy, parse_policy, policy_admits
from embedded.world.keys import Grant, Key, metadata
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.world import World

EBS_ALIAS = "alias/aws/ebs"
SHORTEST_WINDOW_DAYS = 7
LONGEST_WINDOW_DAYS = 30
POLICY_NAME = "default"
KEY_STATES = frozenset(
    {
        "Creating",
        "Enabled",
        "Disabled",
        "PendingDeletion",
        "PendingImport",
        "PendingReplicaDeletion",
        "Unavailable",
        "Updating",
    }
)
DECRYPTS = frozenset({"Enabled", "Updating"})
"""The states in which a key decrypts (KMS developer guide, "Key states")."""
VOLUME_GRANT = frozenset(
    {
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "DescribeKey",
        "CreateGrant",
    }
)
"""What a grant must hold for a role to launch instances with the key.

Source: Auto Scaling user guide, "Required KMS key policy for use with encrypted volumes".
"""

_SPEC = "SYMMETRIC_DEFAULT"
_USAGE = "ENCRYPT_DECRYPT"


class KeyManagement(Service):
    """The keys of the account, symmetric ones made by KMS."""

    name = "kms"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._keys: dict[str, Key] = {}
        self._aliases: dict[str, tuple[str, datetime]] = {}
        managed = self._make(description="Default key that protects EBS volumes", manager="AWS")
        self._aliases[EBS_ALIAS] = (managed.id, world.clock.now())
        self.default_ebs_key = managed.arn
        """The ARN of the AWS managed key ``aws/ebs``, which always exists."""
        self.foreign_keys: set[str] = set()
        """ARNs of other accounts' keys that let this account's roles in; none by default."""

    # -- what the world uses -----------------------------------------------------------------------

    def usable(self, key_id_or_arn: str, role_arn: str) -> bool:
        """Whether a volume under this key can be made and used by this role right now.

        The key must be in a state that decrypts, and its policy or a grant must admit the role to
        everything that EBS needs. An unknown key is not usable. The AWS managed key always is.
        """
        if key_id_or_arn in self.foreign_keys:
            return True
        key = self._find(key_id_or_arn)
        if key is None or key.state not in DECRYPTS:
            return False
        if key.manager == "AWS" or role_arn == _root(self.world.account):
            return True
        granted = (
            VOLUME_GRANT.issubset(grant.operations)
            for grant in key.grants.values()
            if grant.grantee == role_arn
        )
        return any(granted) or policy_admits(key.policy, role_arn, key.arn)

    def arn_of(self, name: str) -> str:
        """The ARN of a key by id, ARN or alias; an unknown name as it is.

        EBS takes any name and finds out later that there is no such key.
        """
        key = self._find(name)
        return key.arn if key else name

    def set_state(self, key_id_or_arn: str, state: str) -> None:
        """Put a key into any state: those that no operation leads to are for scenarios.

        Raises
        ------
        ValueError
            For a state that KMS does not have.
        """
        if state not in KEY_STATES:
            raise ValueError(f"{state!r} is not a key state; there are {sorted(KEY_STATES)}")
        self._key(key_id_or_arn).state = state

    def set_expiry(self, key_id_or_arn: str, valid_to: datetime) -> None:
        """Say that a key's imported material expires, which DescribeKey shows as ValidTo."""
        self._key(key_id_or_arn).valid_to = valid_to

    # -- keys --------------------------------------------------------------------------------------

    @operation("CreateKey", unmodelled=("CustomKeyStoreId", "XksKeyId"))
    def create_key(self, params: Params) -> Reply:
        """Make a symmetric key."""
        # The second name is the deprecated one.
        specs = {params.get(name, _SPEC) for name in ("KeySpec", "CustomerMasterKeySpec")}
        if specs != {_SPEC} or params.get("KeyUsage", _USAGE) != _USAGE:
            raise NotEmulatedError("keys other than symmetric ones")
        if params.get("Origin", "AWS_KMS") != "AWS_KMS" or params.get("MultiRegion"):
            raise NotEmulatedError("imported, external and multi-Region keys")
        key = self._make(description=params.get("Description", ""), policy=params.get("Policy"))
        key.tags.update({tag["TagKey"]: tag["TagValue"] for tag in params.get("Tags", [])})
        return {"KeyMetadata": metadata(key)}

    @operation("DescribeKey")
    def describe_key(self, params: Params) -> Reply:
        """A key in any state, by id, ARN or alias."""
        return {"KeyMetadata": metadata(self._key(params["KeyId"], alias_allowed=True))}

    @operation("EnableKey")
    def enable_key(self, params: Params) -> Reply:
        """Allow a disabled key to be used again."""
        key = self._customer_key(params["KeyId"])
        _require(key, "Enabled", "Disabled")
        key.state = "Enabled"
        return {}

    @operation("DisableKey")
    def disable_key(self, params: Params) -> Reply:
        """Stop a key from being used; volumes attached already go on."""
        key = self._customer_key(params["KeyId"])
        _require(key, "Enabled", "Disabled")
        key.state = "Disabled"
        return {}

    @operation("ScheduleKeyDeletion")
    def schedule_key_deletion(self, params: Params) -> Reply:
        """Make a key unusable now and delete it in 7 to 30 days (30 by default)."""
        key = self._customer_key(params["KeyId"])
        days = params.get("PendingWindowInDays", LONGEST_WINDOW_DAYS)
        if not SHORTEST_WINDOW_DAYS <= days <= LONGEST_WINDOW_DAYS:
            raise AwsError(
                "ValidationException",
                f"PendingWindowInDays must be between {SHORTEST_WINDOW_DAYS} and "
                f"{LONGEST_WINDOW_DAYS}.",
            )
        if key.state == "PendingDeletion":
            raise _wrong_state(key)
        due = self.world.clock.now() + timedelta(days=days)
        key.state, key.deletion_date = "PendingDeletion", due
        self.world.clock.at(due, f"key {key.id} deleted", lambda: self._delete(key, due))
        return {
            "KeyId": key.arn,
            "DeletionDate": due,
            "KeyState": key.state,
            "PendingWindowInDays": days,
        }

    def _delete(self, key: Key, due: datetime) -> None:
        if key.deletion_date != due:
            return
        del self._keys[key.id]
        self._aliases = {name: entry for name, entry in self._aliases.items() if entry[0] != key.id}

    @operation("CancelKeyDeletion")
    def cancel_key_deletion(self, params: Params) -> Reply:
        """Keep a key after all; it comes back disabled, not enabled."""
        key = self._customer_key(params["KeyId"])
        _require(key, "PendingDeletion")
        key.state, key.deletion_date = "Disabled", None
        return {"KeyId": key.arn}

    @operation("PutKeyPolicy")
    def put_key_policy(self, params: Params) -> Reply:
        """Replace a key's policy."""
        key = self._customer_key(params["KeyId"])
        _check_policy_name(params)
        parse_policy(params["Policy"])
        key.policy = params["Policy"]
        return {}

    @operation("GetKeyPolicy")
    def get_key_policy(self, params: Params) -> Reply:
        """A key's policy as the text that was put."""
        _check_policy_name(params)
        return {"Policy": self._key(params["KeyId"]).policy, "PolicyName": POLICY_NAME}

    @operation("TagResource")
    def tag_resource(self, params: Params) -> Reply:
        """Add tags to a key."""
        key = self._customer_key(params["KeyId"])
        key.tags.update({tag["TagKey"]: tag["TagValue"] for tag in params["Tags"]})
        return {}

    @operation("ListResourceTags")
    def list_resource_tags(self, params: Params) -> Reply:
        """The tags of a key."""
        tags = self._key(params["KeyId"]).tags
        return {
            "Tags": [{"TagKey": name, "TagValue": value} for name, value in tags.items()],
            "Truncated": False,
        }

    # -- grants ------------------------------------------------------------------------------------

    @operation(
        "CreateGrant", unmodelled=("DryRun", "GranteeServicePrincipal", "RetiringServicePrincipal")
    )
    def create_grant(self, params: Params) -> Reply:
        """Give a principal some operations of a key.

        AWS may need minutes until a grant is seen everywhere; here it is seen at once.
        """
        key = self._customer_key(params["KeyId"])
        if key.state == "Disabled":
            raise AwsError("DisabledException", f"{key.arn} is disabled.")
        _require(key, "Enabled")
        if "GranteePrincipal" not in params:
            raise AwsError("ValidationException", "GranteePrincipal must be specified.")
        grant = Grant(
            id=self.world.new_uuid().replace("-", "").ljust(64, "0"),
            grantee=params["GranteePrincipal"],
            operations=list(params["Operations"]),
            created=self.world.clock.now(),
            name=params.get("Name"),
            retiring=params.get("RetiringPrincipal"),
            constraints=dict(params.get("Constraints", {})),
        )
        key.grants[grant.id] = grant
        return {"GrantId": grant.id, "GrantToken": f"token-{grant.id}"}

    @operation("ListGrants", unmodelled=("GranteeServicePrincipal",))
    def list_grants(self, params: Params) -> Reply:
        """The grants of a key, oldest first, in pages of 50 unless Limit says otherwise."""
        key = self._key(params["KeyId"])
        chosen = [
            grant
            for grant in key.grants.values()
            if params.get("GranteePrincipal") in (None, grant.grantee)
            and params.get("GrantId") in (None, grant.id)
        ]
        return _listed("Grants", [self._describe_grant(key, grant) for grant in chosen], params)

    @operation("RevokeGrant", unmodelled=("DryRun",))
    def revoke_grant(self, params: Params) -> Reply:
        """Take a grant back."""
        key = self._customer_key(params["KeyId"])
        if params["GrantId"] not in key.grants:
            raise AwsError("NotFoundException", f"Grant {params['GrantId']} does not exist.")
        del key.grants[params["GrantId"]]
        return {}

    def _describe_grant(self, key: Key, grant: Grant) -> Reply:
        shape: Reply = {
            "KeyId": key.arn,
            "GrantId": grant.id,
            "CreationDate": grant.created,
            "GranteePrincipal": grant.grantee,
            "IssuingAccount": _root(self.world.account),
            "Operations": list(grant.operations),
        }
        if grant.name:
            shape["Name"] = grant.name
        if grant.retiring:
            shape["RetiringPrincipal"] = grant.retiring
        if grant.constraints:
            shape["Constraints"] = dict(grant.constraints)
        return shape

    # -- aliases -----------------------------------------------------------------------------------

    @operation("CreateAlias")
    def create_alias(self, params: Params) -> Reply:
        """Give a key a name."""
        name = params["AliasName"]
        if not re.fullmatch(r"alias/[a-zA-Z0-9/_-]+", name) or name.startswith("alias/aws/"):
            raise AwsError("InvalidAliasNameException", f"Alias {name} is not allowed.")
        if name in self._aliases:
            raise AwsError("AlreadyExistsException", f"An alias with the name {name} exists.")
        key = self._key(params["TargetKeyId"])
        self._aliases[name] = (key.id, self.world.clock.now())
        return {}

    @operation("DeleteAlias")
    def delete_alias(self, params: Params) -> Reply:
        """Take a name away."""
        if params["AliasName"] not in self._aliases:
            raise AwsError("NotFoundException", f"Alias {params['AliasName']} is not found.")
        if params["AliasName"].startswith("alias/aws/"):
            raise AwsError("NotAuthorizedException", "Aliases of AWS managed keys stay.")
        del self._aliases[params["AliasName"]]
        return {}

    @operation("ListAliases")
    def list_aliases(self, params: Params) -> Reply:
        """The names of one key or of all."""
        key_id = self._key(params["KeyId"]).id if params.get("KeyId") else None
        shapes = [
            {
                "AliasName": name,
                "AliasArn": self.world.arn("kms", name),
                "TargetKeyId": target,
                "CreationDate": created,
                "LastUpdatedDate": created,
            }
            for name, (target, created) in sorted(self._aliases.items())
            if key_id in (None, target)
        ]
        return _listed("Aliases", shapes, params)

    # -- finding -----------------------------------------------------------------------------------

    def _make(
        self, *, description: str, policy: str | None = None, manager: str = "CUSTOMER"
    ) -> Key:
        if policy is not None:
            parse_policy(policy)
        key_id = self.world.new_uuid()
        key = Key(
            id=key_id,
            arn=self.world.arn("kms", f"key/{key_id}"),
            account=self.world.account,
            created=self.world.clock.now(),
            policy=policy or default_policy(_root(self.world.account)),
            description=description,
            manager=manager,
        )
        self._keys[key_id] = key
        return key

    def _find(self, name: str) -> Key | None:
        if name.startswith("arn:"):
            prefix = self.world.arn("kms", "")
            if not name.startswith(prefix):
                return None
            name = name.removeprefix(prefix).removeprefix("key/")
        if name.startswith("alias/"):
            entry = self._aliases.get(name)
            return self._keys.get(entry[0]) if entry else None
        return self._keys.get(name)

    def _key(self, name: str, *, alias_allowed: bool = False) -> Key:
        if not alias_allowed and "alias/" in name:
            raise AwsError("InvalidArnException", f"{name} is an alias; give the key's id or ARN.")
        if name.startswith("arn:") and not re.fullmatch(
            r"arn:aws:kms:[a-z0-9-]+:\d{12}:(?:key|alias)/.+", name
        ):
            raise AwsError("InvalidArnException", f"Invalid arn {name}")
        key = self._find(name)
        if key is None:
            kind = "Alias" if "alias/" in name else "Key"
            raise AwsError("NotFoundException", f"{kind} '{name}' does not exist")
        return key

    def _customer_key(self, name: str) -> Key:
        key = self._key(name)
        if key.manager == "AWS":
            raise AwsError(
                "AccessDeniedException", f"{key.arn} is managed by AWS and cannot be changed."
            )
        return key


def _root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def _check_policy_name(params: Params) -> None:
    if params.get("PolicyName", POLICY_NAME) != POLICY_NAME:
        raise AwsError("NotFoundException", f"No such policy exists: {params['PolicyName']}")


def _require(key: Key, *states: str) -> None:
    if key.state not in states:
        raise _wrong_state(key)


def _wrong_state(key: Key) -> AwsError:
    words = {"PendingDeletion": "pending deletion"}.get(key.state, f"in state {key.state}")
    return AwsError("KMSInvalidStateException", f"{key.arn} is {words}.")


def _listed(member: str, shapes: list[Reply], params: Params) -> Reply:
    start = int(params.get("Marker", "0"))
    end = start + params.get("Limit", 50)
    reply: Reply = {member: shapes[start:end], "Truncated": end < len(shapes)}
    if reply["Truncated"]:
        reply["NextMarker"] = str(end)
    return reply
