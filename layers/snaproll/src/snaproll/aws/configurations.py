"""What a group launches: a launch template version of its own, or one within a mixed policy.

Where Auto Scaling is told a version, a group with a mixed instances policy needs its whole policy
(user guide, "Use an instance refresh with skip matching"): distribution and overrides as they are,
with the version alone changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snaproll.domain.group import MixedPolicy
from snaproll.domain.release import TemplateVersion

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import (
        DesiredConfigurationUnionTypeDef,
        LaunchTemplateSpecificationTypeDef,
    )


def specification(version: TemplateVersion) -> LaunchTemplateSpecificationTypeDef:
    """A launch template version as Auto Scaling takes it: always by id and number."""
    return {"LaunchTemplateId": version.template_id, "Version": str(version.version)}


def version_in(raw: Mapping[str, Any] | None) -> TemplateVersion | None:
    """The numbered version that a specification names, None when it names none by number."""
    if not raw or not str(raw.get("Version", "")).isdigit() or "LaunchTemplateId" not in raw:
        return None
    return TemplateVersion(template_id=raw["LaunchTemplateId"], version=int(raw["Version"]))


def named_in(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The specification in a group's description or a refresh's desired configuration."""
    if "MixedInstancesPolicy" not in raw:
        return raw.get("LaunchTemplate")
    template = raw["MixedInstancesPolicy"].get("LaunchTemplate", {})
    found: Mapping[str, Any] | None = template.get("LaunchTemplateSpecification")
    return found


def text_of(raw: Mapping[str, Any]) -> str:
    """What a group's description names, for people."""
    named = named_in(raw)
    if not named:
        return "no launch template of its own"
    # An omitted version means $Default (API model LaunchTemplateSpecification).
    return f"{named.get('LaunchTemplateId', '')} version {named.get('Version', '$Default')}"


def mixed_policy(raw: Mapping[str, Any]) -> MixedPolicy | None:
    """A group's mixed instances policy, None when it has a launch template of its own."""
    if "MixedInstancesPolicy" not in raw:
        return None
    policy, base = raw["MixedInstancesPolicy"], named_in(raw) or {}
    overrides = policy.get("LaunchTemplate", {}).get("Overrides", [])
    own = [one["LaunchTemplateSpecification"] for one in overrides if _has_own(one)]
    return MixedPolicy(
        described=policy,
        other_templates=tuple(
            f"{one.get('LaunchTemplateId', '')} version {one.get('Version', '$Default')}"
            for one in own
            if version_in(one) is None or version_in(one) != version_in(base)
        ),
        attribute_based=any("InstanceRequirements" in one for one in overrides),
        weighted=any("WeightedCapacity" in one for one in overrides),
    )


def configuration(policy: MixedPolicy | None, version: TemplateVersion) -> Any:
    """The configuration that a group with this policy has with a version: all else as it is."""
    wanted: DesiredConfigurationUnionTypeDef = {"LaunchTemplate": specification(version)}
    if policy is None:
        return wanted
    template = policy.described.get("LaunchTemplate", {})
    changed = {**template, "LaunchTemplateSpecification": specification(version)}
    if "Overrides" in template:
        changed["Overrides"] = [
            {**one, "LaunchTemplateSpecification": specification(version)} if _has_own(one) else one
            for one in template["Overrides"]
        ]
    return {"MixedInstancesPolicy": {**policy.described, "LaunchTemplate": changed}}


def _has_own(override: Mapping[str, Any]) -> bool:
    return "LaunchTemplateSpecification" in override
