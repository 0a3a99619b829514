"""A group whose one instance cannot be launched, because its snapshot is none: it costs nothing.

So the dry run, the texts of scaling activities and what an active refresh answers can be seen
without an instance.
"""

from __future__ import annotations

from typing import Final

from snaproll.domain.failures import FailureKind, classify
from tools.conformance.answers import Answer, UnmetError
from tools.conformance.cases.groups import described, own_group, preferences, start, to
from tools.conformance.checks import Need, check
from tools.conformance.place import Place

COST: Final = "nothing: the one instance that is asked for cannot be launched"


def wanting_one(place: Place, word: str) -> tuple[dict[str, str], str, Answer]:
    """A group of which one instance is wanted; its template, and its first activities."""
    group, template = own_group(place, word, most=1)
    place.ask("autoscaling:SetDesiredCapacity", **group, DesiredCapacity=1).must_reply()

    def tried(answer: Answer) -> bool:
        found = (answer.reply or {}).get("Activities", [])
        return any(one["StatusCode"] in ("Failed", "Cancelled") for one in found)

    activities = place.ask_until(
        tried, "autoscaling:DescribeScalingActivities", within=300, MaxRecords=1, **group
    )
    return group, template, activities


@check(
    "autoscaling:DescribeScalingActivities",
    "autoscaling:SetDesiredCapacity",
    source="not documented: whether the dry run of a group's template sees that a snapshot is "
    "none, and the texts of the activity that fails because of it",
    need=Need.OWN,
    cost=COST,
)
def a_launch_that_fails_says_why_in_its_activity(place: Place) -> None:
    group, _, activities = wanting_one(place, "failing")
    activities.must_reply(
        *(
            f"Activities[].{name}"
            for name in ("ActivityId", "Cause", "StartTime", "StatusCode", "StatusMessage")
        )
    )
    message = str(activities.at("Activities")[0]["StatusMessage"])
    if classify(message) is not FailureKind.SNAPSHOT:
        wanted = "words in which snaproll knows a missing snapshot"
        raise UnmetError(activities.call, "Activities[0].StatusMessage", message, wanted)
    place.ask("autoscaling:SetDesiredCapacity", **group, DesiredCapacity=0).must_reply()
    place.ask("autoscaling:SetDesiredCapacity", **group, DesiredCapacity=2).must_refuse(
        "ValidationError", status=400
    )


@check(
    "autoscaling:StartInstanceRefresh",
    "autoscaling:RollbackInstanceRefresh",
    "autoscaling:UpdateAutoScalingGroup",
    source="botocore model InstanceRefreshInProgressFault, RollbackInstanceRefresh; Auto Scaling "
    "user guide, 'How an instance refresh works'; what each status answers is not documented",
    need=Need.OWN,
    cost=COST,
)
def an_active_refresh_is_alone_and_can_be_rolled_back_once(place: Place) -> None:
    group, template, _ = wanting_one(place, "active")
    start(place, group, **to(template), **preferences(BakeTime=600))
    described(place, group)
    start(place, group, **to(template), **preferences())
    wanted = {"LaunchTemplate": {"LaunchTemplateId": template, "Version": "2"}}
    place.ask("autoscaling:UpdateAutoScalingGroup", **group, **wanted)
    for _ in range(2):
        place.ask("autoscaling:RollbackInstanceRefresh", **group)
        described(place, group)
    place.ask("autoscaling:CancelInstanceRefresh", **group, WaitForTransitioningInstances=False)
    place.ask("autoscaling:RollbackInstanceRefresh", **group)


@check(
    "autoscaling:RollbackInstanceRefresh",
    source="botocore model RollbackInstanceRefresh: IrreversibleInstanceRefresh without a desired "
    "configuration",
    need=Need.OWN,
    cost=COST,
)
def a_refresh_without_a_desired_configuration_is_irreversible(place: Place) -> None:
    group, _, _ = wanting_one(place, "forward")
    start(place, group, **preferences(SkipMatching=False))
    place.ask("autoscaling:RollbackInstanceRefresh", **group)
    place.ask("autoscaling:CancelInstanceRefresh", **group)
