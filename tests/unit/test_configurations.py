"""What a group launches is sent back as it is, with the version alone changed."""

from __future__ import annotations

from typing import Any

from snaproll.aws.configurations import configuration, mixed_policy, named_in, text_of, version_in
from tests.unit.builders import NEW, OLD

SPEC = {"LaunchTemplateId": OLD.template_id, "LaunchTemplateName": "replica", "Version": "7"}
MOVED = {"LaunchTemplateId": NEW.template_id, "Version": "8"}


def group(*overrides: dict[str, Any]) -> dict[str, Any]:
    """A group with a mixed instances policy, as Auto Scaling describes it."""
    return {
        "MixedInstancesPolicy": {
            "InstancesDistribution": {"OnDemandBaseCapacity": 2, "SpotMaxPrice": ""},
            "LaunchTemplate": {
                "LaunchTemplateSpecification": SPEC,
                "Overrides": list(overrides),
            },
        }
    }


def test_the_version_of_a_mixed_policy_is_the_groups() -> None:
    assert version_in(named_in(group())) == OLD
    assert text_of(group()) == str(OLD)


def test_a_group_with_a_template_of_its_own_has_no_policy() -> None:
    assert mixed_policy({"LaunchTemplate": SPEC}) is None
    assert configuration(None, NEW) == {"LaunchTemplate": MOVED}


def test_the_whole_policy_is_sent_with_the_version_changed_everywhere() -> None:
    raw = group(
        {"InstanceType": "r7g.large"},
        {"InstanceType": "m7g.large", "LaunchTemplateSpecification": SPEC},
    )

    sent = configuration(mixed_policy(raw), NEW)

    assert sent == {
        "MixedInstancesPolicy": {
            "InstancesDistribution": {"OnDemandBaseCapacity": 2, "SpotMaxPrice": ""},
            "LaunchTemplate": {
                "LaunchTemplateSpecification": MOVED,
                "Overrides": [
                    {"InstanceType": "r7g.large"},
                    {"InstanceType": "m7g.large", "LaunchTemplateSpecification": MOVED},
                ],
            },
        }
    }
    assert raw == group(
        {"InstanceType": "r7g.large"},
        {"InstanceType": "m7g.large", "LaunchTemplateSpecification": SPEC},
    )


def test_what_keeps_a_policy_from_being_moved_is_seen() -> None:
    other = {"LaunchTemplateId": "lt-other", "Version": "3"}
    floating = {"LaunchTemplateId": OLD.template_id, "Version": "$Latest"}

    policy = mixed_policy(
        group(
            {"LaunchTemplateSpecification": other, "WeightedCapacity": "2"},
            {"LaunchTemplateSpecification": floating},
            {"InstanceRequirements": {"VCpuCount": {"Min": 2}}},
        )
    )

    assert policy is not None
    assert policy.other_templates == (
        "lt-other version 3",
        f"{OLD.template_id} version $Latest",
    )
    assert policy.weighted
    assert policy.attribute_based
