"""The roles of the control plane let it do its work, and nothing outside its environment."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded import direct
from embedded.scenarios.stage import Stage, StagedFleet


def client_of(stage: Stage, function: str, service: Any) -> Any:
    """A client with the rights of a deployed function."""
    role = stage.stack.roles[f"{function}Role"].arn
    session = direct.DirectSession(stage.world, function, 1, check_replies=False, role=role)
    return session.client(service)


def test_a_template_of_another_environment_is_not_touched(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("ec2").create_tags(
        Resources=[fleet.template_id], Tags=[{"Key": "snaproll:environment", "Value": "prod"}]
    )
    made = client_of(stage, "UpdateLaunchTemplateFunction", "ec2")

    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        made.create_launch_template_version(
            LaunchTemplateId=fleet.template_id, SourceVersion="1", LaunchTemplateData={}
        )


def test_a_refresh_takes_the_right_to_launch_what_it_names(
    stage: Stage, fleet: StagedFleet
) -> None:
    """Auto Scaling's dry run: the role may start refreshes, and launch no foreign template."""
    template = stage.session.client("ec2").create_launch_template(
        LaunchTemplateName="foreign", LaunchTemplateData={"ImageId": "ami-0123456789abcdef0"}
    )["LaunchTemplate"]
    starter = client_of(stage, "StartRefreshFunction", "autoscaling")

    with pytest.raises(ClientError, match="ec2:RunInstances"):
        starter.start_instance_refresh(
            AutoScalingGroupName=fleet.group,
            DesiredConfiguration={
                "LaunchTemplate": {
                    "LaunchTemplateId": template["LaunchTemplateId"],
                    "Version": "1",
                }
            },
        )


def test_only_tags_of_its_own_are_written_on_snapshots(stage: Stage, fleet: StagedFleet) -> None:
    marker = client_of(stage, "QuarantineSnapshotFunction", "ec2")

    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        marker.create_tags(
            Resources=[fleet.first_snapshot], Tags=[{"Key": "GraphId", "Value": "other"}]
        )


def test_a_machine_whose_role_may_not_invoke_a_function_fails_there(
    stage: Stage, fleet: StagedFleet
) -> None:
    role = stage.stack.roles["RolloutStateMachineRole"]
    stage.world.access.put_role(role.arn, [])

    execution = stage.start({"fleet": fleet.name})
    stage.finish()

    assert execution.status == "FAILED"
    assert "lambda:InvokeFunction" in (execution.cause or "")
