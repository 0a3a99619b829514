"""A group of a check's own, without instances: what its refreshes answer, and when."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.answers import Answer
from tools.conformance.cases.templates import add_version, image, own_template
from tools.conformance.checks import Need, check
from tools.conformance.place import TAG, Place, by

ENDED: Final = frozenset(
    {"Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"}
)
_MODEL: Final = "botocore model"
_GUIDE: Final = "Auto Scaling user guide"
_NOT_SAID: Final = "not documented"


def own_group(
    place: Place, word: str, *, version: str = "1", most: int = 0
) -> tuple[dict[str, str], str]:
    """Make a group without instances; gives it as a parameter, and its template's id."""
    subnet, _ = place.subnet()
    template = own_template(place, word, ImageId=image(place))
    add_version(place, template, SourceVersion="1")
    name = place.name(word)
    group = {"AutoScalingGroupName": name}
    place.make(
        f"the Auto Scaling group {name}",
        f"aws autoscaling delete-auto-scaling-group --auto-scaling-group-name {name} "
        "--force-delete",
        by("autoscaling:DeleteAutoScalingGroup", **group, ForceDelete=True),
        "autoscaling:CreateAutoScalingGroup",
        **group,
        MinSize=0,
        MaxSize=most,
        DesiredCapacity=0,
        LaunchTemplate={"LaunchTemplateId": template, "Version": version},
        VPCZoneIdentifier=subnet,
        Tags=[{"Key": TAG, "Value": place.run, "PropagateAtLaunch": False}],
    )
    place.settle()
    return group, template


def to(template: str, number: str = "2") -> dict[str, Any]:
    """A desired configuration."""
    return {
        "DesiredConfiguration": {
            "LaunchTemplate": {"LaunchTemplateId": template, "Version": number}
        }
    }


def preferences(**more: Any) -> dict[str, Any]:
    """What snaproll says with every refresh, and more."""
    always = {
        "MinHealthyPercentage": 100,
        "MaxHealthyPercentage": 150,
        "InstanceWarmup": 0,
        "SkipMatching": True,
        "ScaleInProtectedInstances": "Wait",
        "StandbyInstances": "Wait",
    }
    return {"Preferences": {**always, **more}}


def start(place: Place, group: dict[str, str], **params: Any) -> Answer:
    """Start a refresh."""
    return place.ask("autoscaling:StartInstanceRefresh", **group, Strategy="Rolling", **params)


def described(place: Place, group: dict[str, str], **params: Any) -> Answer:
    """The refreshes of a group."""
    return place.ask("autoscaling:DescribeInstanceRefreshes", **group, **params).must_reply(
        "InstanceRefreshes[].InstanceRefreshId", "InstanceRefreshes[].Status"
    )


def ended(place: Place, group: dict[str, str]) -> Answer:
    """The refreshes of a group, when none goes on any more."""

    def all_over(answer: Answer) -> bool:
        found = (answer.reply or {}).get("InstanceRefreshes", [])
        return all(one["Status"] in ENDED for one in found)

    return place.ask_until(all_over, "autoscaling:DescribeInstanceRefreshes", within=900, **group)


def saved(place: Place, group: dict[str, str]) -> Answer:
    """The group with what it has saved."""
    return place.ask(
        "autoscaling:DescribeAutoScalingGroups",
        AutoScalingGroupNames=[group["AutoScalingGroupName"]],
    ).must_reply(
        *(
            f"AutoScalingGroups[].{name}"
            for name in (
                "AutoScalingGroupName",
                "DesiredCapacity",
                "MaxSize",
                "HealthCheckType",
            )
        )
    )


@check(
    "autoscaling:StartInstanceRefresh",
    "autoscaling:DescribeInstanceRefreshes",
    "autoscaling:DescribeAutoScalingGroups",
    source=f"{_NOT_SAID}: what a refresh of a group without instances does, and when it is shown",
    need=Need.OWN,
)
def a_refresh_without_instances_ends_and_saves_the_version(place: Place) -> None:
    group, template = own_group(place, "zero")
    start(place, group, **to(template), **preferences()).must_reply("InstanceRefreshId")
    described(place, group)
    ended(place, group)
    saved(place, group)


@check(
    "autoscaling:StartInstanceRefresh",
    source=f"{_NOT_SAID}: what skip matching does where the saved version is the desired one",
    need=Need.OWN,
)
def a_refresh_to_the_version_that_is_saved(place: Place) -> None:
    group, template = own_group(place, "same")
    start(place, group, **to(template, "1"), **preferences())
    ended(place, group)


@check(
    "autoscaling:DescribeInstanceRefreshes",
    source=f"{_MODEL} DescribeInstanceRefreshes: newest first, NextToken; 1 to 100 records",
    need=Need.OWN,
)
def refreshes_come_newest_first_in_pages(place: Place) -> None:
    group, template = own_group(place, "pages")
    ids = []
    for number in ("2", "1"):
        started = start(place, group, **to(template, number), **preferences())
        ids.append(started.at("InstanceRefreshId"))
        ended(place, group)
    first = described(place, group, MaxRecords=1)
    first.must_hold("InstanceRefreshes[].InstanceRefreshId", ids[1])
    second = described(place, group, MaxRecords=1, NextToken=first.at("NextToken"))
    second.must_hold("InstanceRefreshes[].InstanceRefreshId", ids[0])
    place.ask("autoscaling:DescribeInstanceRefreshes", **group, MaxRecords=101).must_refuse(
        "ValidationError", status=400
    )
    described(place, group, InstanceRefreshIds=[ids[0]]).must_hold(
        "InstanceRefreshes[].InstanceRefreshId", ids[0]
    )
    # Whether one that is forgotten is an error or left out is not documented: only compared.
    nothing = "00000000-0000-4000-8000-000000000000"
    place.ask("autoscaling:DescribeInstanceRefreshes", **group, InstanceRefreshIds=[nothing])


@check(
    "autoscaling:StartInstanceRefresh",
    source=f"{_MODEL} RefreshPreferences.AutoRollback; that it is refused at the start is "
    f"{_NOT_SAID}",
    need=Need.OWN,
)
def auto_rollback_of_a_group_that_cannot_go_back(place: Place) -> None:
    group, template = own_group(place, "newest", version="$Latest")
    start(place, group, **to(template), **preferences(AutoRollback=True))
    ended(place, group)
    start(place, group, **preferences(AutoRollback=True))
    ended(place, group)


@check(
    "autoscaling:StartInstanceRefresh",
    source=f"{_NOT_SAID}: what a refresh with an alarm that is not there answers; "
    f"{_MODEL} RefreshPreferences: ranges",
    need=Need.OWN,
)
def a_refresh_that_asks_for_what_cannot_be_is_refused(place: Place) -> None:
    group, template = own_group(place, "refused")
    alarms = {"AlarmSpecification": {"Alarms": [place.name("none")]}}
    start(place, group, **to(template), **preferences(**alarms))
    ended(place, group)
    start(place, group, **to(template), **preferences(BakeTime=172_801)).must_refuse(
        "ValidationError", status=400
    )
    start(place, group, **to(template), **preferences(CheckpointDelay=60)).must_refuse(
        "ValidationError", status=400
    )
    start(place, group, **to(template, "7"), **preferences()).must_refuse(
        "ValidationError", status=400
    )


@check(
    "autoscaling:RollbackInstanceRefresh",
    "autoscaling:CancelInstanceRefresh",
    source=f"{_MODEL} RollbackInstanceRefresh and CancelInstanceRefresh, errors: "
    "ActiveInstanceRefreshNotFound",
    need=Need.OWN,
)
def nothing_active_can_neither_be_rolled_back_nor_cancelled(place: Place) -> None:
    group, template = own_group(place, "still")
    calls = ("autoscaling:RollbackInstanceRefresh", "autoscaling:CancelInstanceRefresh")
    for call in calls:
        place.ask(call, **group).must_refuse("ActiveInstanceRefreshNotFound", status=400)
    start(place, group, **to(template), **preferences())
    ended(place, group)
    for call in calls:
        place.ask(call, **group).must_refuse("ActiveInstanceRefreshNotFound", status=400)


@check(
    "autoscaling:StartInstanceRefresh",
    "autoscaling:RollbackInstanceRefresh",
    "autoscaling:CancelInstanceRefresh",
    "autoscaling:UpdateAutoScalingGroup",
    "autoscaling:SetInstanceProtection",
    source="Auto Scaling API reference, 'Common errors': ValidationError",
    need=Need.OWN,
)
def a_group_that_is_not_there_cannot_be_changed(place: Place) -> None:
    group = {"AutoScalingGroupName": place.name("none")}
    asked = [
        place.ask("autoscaling:StartInstanceRefresh", **group),
        place.ask("autoscaling:RollbackInstanceRefresh", **group),
        place.ask("autoscaling:CancelInstanceRefresh", **group),
        place.ask("autoscaling:UpdateAutoScalingGroup", **group, MaxSize=1),
        place.ask(
            "autoscaling:SetInstanceProtection",
            **group,
            InstanceIds=[place.made_up("i")],
            ProtectedFromScaleIn=True,
        ),
    ]
    for answer in asked:
        answer.must_refuse("ValidationError", "ActiveInstanceRefreshNotFound", status=400)


@check(
    "autoscaling:UpdateAutoScalingGroup",
    "autoscaling:SetInstanceProtection",
    "autoscaling:CreateOrUpdateTags",
    source=f"{_MODEL} UpdateAutoScalingGroup; {_GUIDE}, 'Control instance termination'",
    need=Need.OWN,
)
def a_version_is_saved_by_number_and_what_is_not_in_the_group_cannot_be_protected(
    place: Place,
) -> None:
    group, template = own_group(place, "saved")
    wanted = {"LaunchTemplateId": template, "Version": "2"}
    place.ask("autoscaling:UpdateAutoScalingGroup", **group, LaunchTemplate=wanted).must_reply()
    place.settle()
    saved(place, group).must_hold("AutoScalingGroups[].LaunchTemplate.Version", "2")
    missing = {**wanted, "Version": "7"}
    place.ask("autoscaling:UpdateAutoScalingGroup", **group, LaunchTemplate=missing).must_refuse(
        "ValidationError", status=400
    )
    place.ask(
        "autoscaling:SetInstanceProtection",
        **group,
        InstanceIds=[place.made_up("i")],
        ProtectedFromScaleIn=True,
    ).must_refuse("ValidationError", status=400)
    tag = {
        "ResourceId": group["AutoScalingGroupName"],
        "ResourceType": "auto-scaling-group",
        "Key": "snaproll:checked",
        "Value": "yes",
        "PropagateAtLaunch": False,
    }
    place.ask("autoscaling:CreateOrUpdateTags", Tags=[tag]).must_reply()
    place.settle()
    saved(place, group).must_reply("AutoScalingGroups[].Tags[].Key")
