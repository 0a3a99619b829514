"""What a group launches: a launch template, or a mixed instances policy over templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedded.world.autoscaling.requests import invalid, refuse_unmodelled
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.ec2 import EC2

DEFAULT_VERSION = "$Default"
"""What an omitted Version means (botocore, LaunchTemplateSpecification)."""
DYNAMIC_VERSIONS = ("$Latest", DEFAULT_VERSION)
UNNAMED_TYPE = "m1.small"
"""The instance type of a template that names none (EC2 API reference, RunInstances)."""
SSM_ALIAS = "resolve:ssm:"
"""How an ImageId begins that is a parameter and not an image."""


@dataclass(frozen=True)
class LaunchSource:
    """One thing that may be launched: a version of a template, for one instance type."""

    template_id: str
    version: str
    """A number, ``$Latest`` or ``$Default``."""
    instance_type: str | None
    """None leaves the type to the template."""


@dataclass(frozen=True)
class LaunchConfiguration:
    """A group's launch template or mixed instances policy, saved or desired.

    Holds the shape as the caller gave it, with the template's id and name both filled in and an
    omitted version written out, which is how AWS describes it.
    """

    kind: str
    """``LaunchTemplate`` or ``MixedInstancesPolicy``."""
    shape: Params
    sources: tuple[LaunchSource, ...]
    """In order of preference (InstancesDistribution, allocation strategy ``prioritized``)."""

    @property
    def dynamic(self) -> bool:
        """Whether some version is ``$Latest`` or ``$Default``."""
        return any(source.version in DYNAMIC_VERSIONS for source in self.sources)

    def members(self) -> Params:
        """The member of a group's or a desired configuration's shape that holds this."""
        return {self.kind: copied(self.shape)}

    def resolved(self, ec2: EC2) -> frozenset[tuple[str, int, str]]:
        """What an instance may be to match: (template id, version number, instance type).

        A version that no longer exists matches nothing.
        """
        found = set()
        for source in self.sources:
            try:
                number = ec2.resolve_version(source.template_id, source.version)
            except AwsError:
                continue
            version = ec2.template(source.template_id).versions[number]
            own_type = version.data.get("InstanceType", UNNAMED_TYPE)
            found.add((source.template_id, number, source.instance_type or own_type))
        return frozenset(found)

    def image_is_parameter(self, ec2: EC2) -> bool:
        """Whether some template names its image by an SSM parameter."""
        for source in self.sources:
            number = ec2.resolve_version(source.template_id, source.version)
            data = ec2.template(source.template_id).versions[number].data
            if str(data.get("ImageId", "")).startswith(SSM_ALIAS):
                return True
        return False


def requested_configuration(params: Params, ec2: EC2) -> LaunchConfiguration:
    """The configuration that a request names, after the dry run that AWS makes.

    Create, update and StartInstanceRefresh run RunInstances as a dry run with the caller's
    credentials (user guide, "Launch template permissions"). The world's callers may do
    everything, so what is left of it is that template and version must exist. Whether AWS would
    notice a missing snapshot here is not documented; the world does not, so that it is met later.

    Raises
    ------
    AwsError
        ``ValidationError``.
    NotEmulatedError
        For attribute-based types, weights, Spot and what else the world cannot launch.
    """
    template, policy = params.get("LaunchTemplate"), params.get("MixedInstancesPolicy")
    if (template is None) == (policy is None):
        raise invalid(
            "Valid requests must contain either LaunchTemplate or MixedInstancesPolicy parameter."
        )
    if template is not None:
        return _plain(template, ec2)
    return _mixed(policy, ec2)


def _plain(template: Params, ec2: EC2) -> LaunchConfiguration:
    shape = _specification(template, ec2)
    source = LaunchSource(shape["LaunchTemplateId"], shape["Version"], None)
    return LaunchConfiguration("LaunchTemplate", shape, (source,))


def _mixed(policy: Any, ec2: EC2) -> LaunchConfiguration:
    shape = copied(policy)
    _check_distribution(shape.get("InstancesDistribution", {}))
    launch = shape.get("LaunchTemplate", {})
    if "LaunchTemplateSpecification" not in launch:
        raise invalid("The mixed instances policy must contain a launch template specification.")
    base = _specification(launch["LaunchTemplateSpecification"], ec2)
    launch["LaunchTemplateSpecification"] = base
    sources = tuple(_override(item, base, ec2) for item in launch.get("Overrides", []))
    if not sources:
        sources = (LaunchSource(base["LaunchTemplateId"], base["Version"], None),)
    return LaunchConfiguration("MixedInstancesPolicy", shape, sources)


def _override(override: Params, base: Params, ec2: EC2) -> LaunchSource:
    refuse_unmodelled("Overrides", override, ("InstanceType", "LaunchTemplateSpecification"))
    template = base
    if "LaunchTemplateSpecification" in override:
        template = _specification(override["LaunchTemplateSpecification"], ec2)
        override["LaunchTemplateSpecification"] = template
    return LaunchSource(
        template["LaunchTemplateId"], template["Version"], override.get("InstanceType")
    )


def _check_distribution(distribution: Params) -> None:
    if distribution.get("OnDemandPercentageAboveBaseCapacity", 100) != 100:  # noqa: PLR2004
        raise NotEmulatedError("Spot Instances in a mixed instances policy")
    if distribution.get("OnDemandAllocationStrategy", "prioritized") != "prioritized":
        raise NotEmulatedError("an OnDemandAllocationStrategy other than prioritized")
    if distribution.get("DistributionSegments"):
        raise NotEmulatedError("DistributionSegments of a mixed instances policy")


def _specification(given: Params, ec2: EC2) -> Params:
    template_id, name = given.get("LaunchTemplateId"), given.get("LaunchTemplateName")
    if (template_id is None) == (name is None):
        raise invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName.")
    version = given.get("Version", DEFAULT_VERSION)
    try:
        template = ec2.template(str(template_id or name))
        ec2.resolve_version(template.id, version)
    except AwsError as refusal:
        raise invalid(
            f"You must use a valid fully-formed launch template. {refusal.message}"
        ) from refusal
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Version": version,
    }
