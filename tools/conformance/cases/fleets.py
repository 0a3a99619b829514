"""Reads of a fleet that is there: its group is named by whoever runs the checks."""

from __future__ import annotations

import re
from typing import Any, Final

from snaproll.domain.failures import FailureKind, classify
from tools.conformance.answers import NotCheckedError, UnmetError
from tools.conformance.checks import Need, check
from tools.conformance.place import Place

_MODEL: Final = "botocore model"
TERMINATION: Final = re.compile(r"Terminating EC2 instance: i-[0-9a-f]+")
"""How snaproll finds out which instance an activity terminated."""


def described(place: Place) -> dict[str, Any]:
    """The fleet's group."""
    name = place.fleet.group
    answer = place.glance("autoscaling:DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
    found = answer.at("AutoScalingGroups")
    if not found:
        raise NotCheckedError(f"there is no group {name}")
    answer.must_reply(
        *(
            f"AutoScalingGroups[].{member}"
            for member in (
                "AutoScalingGroupARN",
                "DesiredCapacity",
                "MaxSize",
                "HealthCheckType",
                "Instances[].InstanceId",
                "Instances[].LifecycleState",
                "Instances[].ProtectedFromScaleIn",
            )
        )
    )
    return dict(found[0])


@check(
    "autoscaling:DescribeAutoScalingGroups",
    "ec2:DescribeInstances",
    "elbv2:DescribeTargetHealth",
    source=f"{_MODEL} AutoScalingGroup, Instance, TargetHealthDescription",
    need=Need.FLEET,
)
def a_group_shows_its_instances_and_its_targets_their_health(place: Place) -> None:
    group = described(place)
    ids = [one["InstanceId"] for one in group.get("Instances", [])]
    for arn in group.get("TargetGroupARNs", []):
        place.glance("elbv2:DescribeTargetHealth", TargetGroupArn=arn).must_reply(
            "TargetHealthDescriptions[].Target.Id", "TargetHealthDescriptions[].TargetHealth.State"
        )
    place.glance(
        "ec2:DescribeInstances", Filters=[{"Name": "instance-id", "Values": ids or ["i-none"]}]
    ).must_reply("Reservations[].Instances[].InstanceId")


@check(
    "autoscaling:DescribeScalingActivities",
    source="not documented: the texts of activities, of which snaproll reads how they begin",
    need=Need.FLEET,
)
def activities_say_what_they_are_in_the_words_that_are_read(place: Place) -> None:
    group = {"AutoScalingGroupName": described(place)["AutoScalingGroupName"]}
    answer = place.glance("autoscaling:DescribeScalingActivities", **group, MaxRecords=100)
    members = ("Cause", "StartTime", "StatusCode")
    answer.must_reply(*(f"Activities[].{name}" for name in members))
    for activity in answer.at("Activities"):
        text, message = activity.get("Description", ""), activity.get("StatusMessage", "")
        if text.startswith("Terminating") and not TERMINATION.match(text):
            wanted = "Terminating EC2 instance: i-…"
            raise UnmetError(answer.call, "Activities[].Description", text, wanted)
        failed = text.startswith("Launching") and activity["StatusCode"] == "Failed"
        if failed and classify(message) is FailureKind.UNKNOWN:
            wanted = "words that snaproll knows"
            raise UnmetError(answer.call, "Activities[].StatusMessage", message, wanted)


@check(
    "autoscaling:DescribeInstanceRefreshes",
    source=f"{_MODEL} InstanceRefresh; not documented: which members are missing when",
    need=Need.FLEET,
)
def refreshes_show_what_a_rollout_looks_at(place: Place) -> None:
    group = {"AutoScalingGroupName": described(place)["AutoScalingGroupName"]}
    page = place.glance("autoscaling:DescribeInstanceRefreshes", **group, MaxRecords=1)
    page.must_reply("InstanceRefreshes[].InstanceRefreshId", "InstanceRefreshes[].Status")
    token = (page.reply or {}).get("NextToken")
    if token:
        place.glance(
            "autoscaling:DescribeInstanceRefreshes", **group, MaxRecords=1, NextToken=token
        ).must_reply("InstanceRefreshes[].InstanceRefreshId")


@check(
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeLaunchTemplateVersions",
    source=f"{_MODEL} LaunchTemplate, LaunchTemplateVersion",
    need=Need.FLEET,
)
def the_fleets_template_shows_its_versions_and_their_devices(place: Place) -> None:
    template = described(place).get("LaunchTemplate", {}).get("LaunchTemplateId")
    if template is None:
        raise NotCheckedError("the group has a mixed instances policy")
    place.glance("ec2:DescribeLaunchTemplates", LaunchTemplateIds=[template]).must_reply(
        *(f"LaunchTemplates[].{name}" for name in ("DefaultVersionNumber", "LatestVersionNumber"))
    )
    place.glance(
        "ec2:DescribeLaunchTemplateVersions", LaunchTemplateId=template, Versions=["$Latest"]
    ).must_reply(
        *(
            f"LaunchTemplateVersions[].{name}"
            for name in ("VersionNumber", "CreatedBy", "LaunchTemplateData")
        )
    )


@check(
    "lambda:GetFunctionConfiguration",
    source=f"{_MODEL} FunctionConfiguration",
    need=Need.FLEET,
)
def a_function_says_that_it_is_active(place: Place) -> None:
    function = place.fleet.function
    if function is None:
        raise NotCheckedError("needs a function: name one with --function")
    place.glance("lambda:GetFunctionConfiguration", FunctionName=function).must_reply(
        "FunctionArn", "State"
    )
