"""When Auto Scaling calls an instance unhealthy, and what it then does."""

from __future__ import annotations

from embedded.world.autoscaling import Member
from tests.embedded.fleets import Fleet


def corrupt_newcomer(fleet: Fleet) -> Member:
    """Scale out by one instance that never serves; return it when it is in service."""
    version = fleet.release("corrupt")
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))
    fleet.call("SetDesiredCapacity", DesiredCapacity=fleet.group.desired + 1)
    fleet.run(minutes=1)
    member = next(reversed(fleet.group.instances.values()))
    assert member.lifecycle == "InService"
    return member


def test_an_instance_is_in_service_when_registered_and_not_when_its_target_is_healthy() -> None:
    fleet = Fleet(desired=1)

    member = corrupt_newcomer(fleet)

    (target,) = member.targets.values()
    assert target.state == "initial"
    assert target.reason == "Elb.InitialHealthChecking"


def test_without_elb_health_checks_the_load_balancer_is_ignored() -> None:
    fleet = Fleet(desired=1, HealthCheckType="EC2")
    member = corrupt_newcomer(fleet)

    fleet.run(hours=2)

    (target,) = member.targets.values()
    assert target.state == "unhealthy"
    assert (member.lifecycle, member.health) == ("InService", "Healthy")


def test_with_elb_health_checks_an_unhealthy_target_is_replaced_after_the_grace_period() -> None:
    fleet = Fleet(desired=1, HealthCheckGracePeriod=600)
    member = corrupt_newcomer(fleet)
    assert member.in_service_at is not None

    fleet.run(minutes=9, seconds=30)
    assert (member.lifecycle, member.health) == ("InService", "Healthy")

    fleet.run(minutes=1)
    assert (member.lifecycle, member.health) == ("Terminating", "Unhealthy")
    assert any("ELB system health check" in item["Cause"] for item in fleet.activities())


def test_the_grace_period_does_not_protect_an_instance_that_is_gone() -> None:
    fleet = Fleet(desired=1, HealthCheckGracePeriod=7200)
    (lost,) = fleet.group.instances

    fleet.world.call("ec2", "TerminateInstances", {"InstanceIds": [lost]})
    fleet.run(minutes=2)

    assert fleet.group.instances[lost].lifecycle == "Terminating"
    assert len(fleet.group.live_members()) == 1


def test_with_health_check_suspended_nothing_is_marked_unhealthy() -> None:
    fleet = Fleet(desired=1)
    fleet.call("SuspendProcesses", ScalingProcesses=["HealthCheck"])
    member = corrupt_newcomer(fleet)

    fleet.run(hours=1)
    assert member.health == "Healthy"

    fleet.call("ResumeProcesses")
    assert member.health == "Unhealthy"


def test_with_replace_unhealthy_suspended_an_unhealthy_instance_stays() -> None:
    fleet = Fleet(desired=1)
    fleet.call("SuspendProcesses", ScalingProcesses=["ReplaceUnhealthy"])
    member = corrupt_newcomer(fleet)

    fleet.run(hours=1)

    assert (member.lifecycle, member.health) == ("InService", "Unhealthy")


def test_a_person_can_call_an_instance_unhealthy() -> None:
    fleet = Fleet(desired=1, HealthCheckGracePeriod=0)
    (instance_id,) = fleet.group.instances

    fleet.world.call(
        "autoscaling",
        "SetInstanceHealth",
        {"InstanceId": instance_id, "HealthStatus": "Unhealthy"},
    )

    assert fleet.group.instances[instance_id].lifecycle == "Terminating"


def test_calling_an_instance_unhealthy_within_its_grace_period_is_not_heard() -> None:
    fleet = Fleet(desired=1, HealthCheckGracePeriod=7200)
    (instance_id,) = fleet.group.instances
    call = {"InstanceId": instance_id, "HealthStatus": "Unhealthy"}

    fleet.world.call("autoscaling", "SetInstanceHealth", call)
    assert fleet.group.instances[instance_id].lifecycle == "InService"

    fleet.world.call(
        "autoscaling", "SetInstanceHealth", {**call, "ShouldRespectGracePeriod": False}
    )
    assert fleet.group.instances[instance_id].lifecycle == "Terminating"
