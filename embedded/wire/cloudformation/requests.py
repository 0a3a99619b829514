"""Reads what CreateStack, UpdateStack and CreateChangeSet have in common, and refuses the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from embedded.deploy.blueprint import Blueprint, blueprint
from embedded.deploy.errors import DeploymentError
from embedded.deploy.parameters import parameter_values
from embedded.wire.cloudformation.records import Wanted
from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.deploy.site import Site
    from embedded.world.service import Params
    from embedded.world.world import World

NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
LONGEST_BODY: Final = 51_200
"""Bytes of a template in a request ("AWS CloudFormation quotas"); a longer one needs a URL."""
OF_EVERY_STACK: Final = (
    "DeploymentConfig", "DisableValidation", "NotificationARNs", "ResourceTypes",
    "RollbackConfiguration", "Tags",
)  # fmt: skip
"""Members of every request for a stack that would change what happens, and do not here."""
OF_CHANGES_AT_ONCE: Final = (
    *OF_EVERY_STACK, "RetainExceptOnCreate", "StackPolicyBody", "StackPolicyURL",
)  # fmt: skip
"""The same of those that need no change set."""
IAM_NAMES: Final = ("GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName")
TRANSFORM: Final = re.compile(r"^[\"']?Transform[\"']?\s*:|[{,]\s*\"Transform\"\s*:", re.MULTILINE)


def invalid(message: str) -> AwsError:
    """Give the error with which CloudFormation refuses nearly everything."""
    return AwsError("ValidationError", message)


def check_name(name: str) -> None:
    """Refuse a stack name that AWS refuses."""
    if NAME.fullmatch(name) is None:
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def template_text(world: World, params: Params, before: Wanted | None = None) -> str:
    """Give the template that a request carries, points at, or leaves as it was.

    Raises
    ------
    AwsError
        ``ValidationError`` when it does not do just one of these.
    """
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if params.get("UsePreviousTemplate") and before is not None and not body and not url:
        return before.text
    if bool(body) == bool(url):
        raise invalid("Either Template URL or Template Body must be specified.")
    if url:
        return _fetched(world, url)
    text = str(body)
    if len(text.encode()) > LONGEST_BODY:
        raise invalid(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {LONGEST_BODY}"
        )
    return text


def _fetched(world: World, url: str) -> str:
    """Read a template from a bucket; AWS takes no other address."""
    place = urlsplit(url)
    host = place.hostname or ""
    bucket, _, rest = host.partition(".s3")
    path = unquote(place.path).lstrip("/")
    if not rest or bucket == host:
        bucket, _, path = path.partition("/")
    try:
        found = world.call("s3", "GetObject", {"Bucket": bucket, "Key": path})
    except AwsError as error:
        raise invalid(f"S3 error: {error.message} ({url})") from error
    content: bytes = found["Body"]
    return content.decode()


def wanted(
    site: Site, params: Params, text: str, before: Wanted | None, *, expanded: bool
) -> Wanted:
    """Work out what a request asks a stack to be.

    ``expanded`` says that somebody sees the processed template before it is carried out.

    Raises
    ------
    AwsError
        ``ValidationError`` for what is wrong with the template or its parameters,
        ``InsufficientCapabilitiesException`` for what was not acknowledged.
    """
    given = _given(params, before)
    try:
        plan = blueprint(text, given)
        values = parameter_values(plan.parameters, given, site.parameter)
    except DeploymentError as error:
        raise invalid(f"Template error: {error}") from error
    capabilities = tuple(params.get("Capabilities", before.capabilities if before else ()))
    _check_capabilities(plan, text, capabilities, expanded=expanded)
    return Wanted(text, given, values, plan, capabilities)


def _given(params: Params, before: Wanted | None) -> dict[str, str]:
    given = {}
    for parameter in params.get("Parameters", []):
        name = parameter["ParameterKey"]
        if not parameter.get("UsePreviousValue"):
            given[name] = parameter.get("ParameterValue", "")
        elif before is None:
            raise invalid(
                f"Invalid input for parameter key {name}. Cannot specify usePreviousValue "
                "as true for a parameter key not in the previous template"
            )
        elif name in before.given:
            given[name] = before.given[name]
    return given


def needed_capabilities(plan: Blueprint) -> list[str]:
    """Tell what has to be acknowledged for the IAM resources of a template."""
    resources = [
        one.get("Properties", {})
        for one in plan.resources.values()
        if one["Type"].startswith("AWS::IAM::") and one["Type"] != "AWS::IAM::InstanceProfile"
    ]
    if not resources:
        return []
    named = any(name in properties for properties in resources for name in IAM_NAMES)
    return ["CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"]


def _check_capabilities(
    plan: Blueprint, text: str, capabilities: tuple[str, ...], *, expanded: bool
) -> None:
    missing = [name for name in needed_capabilities(plan) if name not in capabilities]
    if missing == ["CAPABILITY_IAM"] and "CAPABILITY_NAMED_IAM" in capabilities:
        missing = []
    if not expanded and has_transform(text) and "CAPABILITY_AUTO_EXPAND" not in capabilities:
        missing.append("CAPABILITY_AUTO_EXPAND")
    if missing:
        raise AwsError(
            "InsufficientCapabilitiesException",
            f"Requires capabilities : [{', '.join(missing)}]",
        )


def has_transform(text: str) -> bool:
    """Whether a template names macros that expand it."""
    return TRANSFORM.search(text) is not None


def declared_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Give the names of properties that two declarations of a resource do not share."""
    old, new = before.get("Properties", {}), after.get("Properties", {})
    names = old.keys() | new.keys()
    return frozenset(name for name in names if old.get(name) != new.get(name))
