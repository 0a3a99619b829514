"""Every answer has the members and types that botocore's model gives it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from tests.embedded.replicas import Replicas

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "double": (int, float),
    "boolean": bool,
    "timestamp": datetime,
}


def faults(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """What in a value does not fit its shape."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            if name not in shape.members:
                yield f"{path}.{name} is not in the model"
            else:
                yield from faults(shape.members[name], member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            yield from faults(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from faults(shape.value, item, f"{path}[{key}]")
    elif not isinstance(value, TYPES[shape.type_name]):
        yield f"{path} is {value!r}, not a {shape.type_name}"


@pytest.fixture(scope="module")
def replicas() -> Replicas:
    """A world in which there is something of everything."""
    replicas = Replicas(VolumeInitializationRate=200)
    first = replicas.serving()
    replicas.call("ec2", "CreateSnapshots", InstanceSpecification={"InstanceId": first.id})
    replicas.world.ec2.add_snapshot(source_id=replicas.snapshot.id, tags={"a": "b"})
    second = replicas.serving()
    replicas.world.elbv2.deregister(replicas.target_group_arn, second.id, lambda: None)
    replicas.world.ec2.terminate(second.id)
    lock = {"LockMode": "governance", "LockDuration": 3}
    replicas.call("ec2", "LockSnapshot", SnapshotId=replicas.snapshot.id, **lock)
    alarm = {
        "AlarmName": "errors",
        "Namespace": "App",
        "MetricName": "Errors",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "breaching",
    }
    replicas.call("cloudwatch", "PutMetricAlarm", **alarm)
    replicas.call("cloudwatch", "PutCompositeAlarm", AlarmName="both", AlarmRule="ALARM(errors)")
    replicas.world.run_for(900)
    return replicas


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("ec2", "DescribeSnapshots", {}),
        ("ec2", "DescribeLockedSnapshots", {}),
        ("ec2", "DescribeVolumes", {}),
        ("ec2", "DescribeVolumeStatus", {}),
        ("ec2", "DescribeLaunchTemplates", {}),
        ("ec2", "DescribeLaunchTemplateVersions", {"Versions": ["$Latest"]}),
        ("ec2", "DescribeInstances", {}),
        ("ec2", "DescribeTags", {}),
        ("elbv2", "DescribeLoadBalancers", {}),
        ("elbv2", "DescribeTargetGroups", {}),
        ("elbv2", "DescribeListeners", {"LoadBalancerArn": "LOAD BALANCER"}),
        ("elbv2", "DescribeTargetHealth", {"TargetGroupArn": "TARGET GROUP", "Include": ["All"]}),
        ("elbv2", "DescribeTargetGroupAttributes", {"TargetGroupArn": "TARGET GROUP"}),
        ("elbv2", "DescribeLoadBalancerAttributes", {"LoadBalancerArn": "LOAD BALANCER"}),
        ("elbv2", "DescribeTags", {"ResourceArns": ["TARGET GROUP"]}),
        ("cloudwatch", "DescribeAlarms", {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}),
        ("kms", "DescribeKey", {"KeyId": "alias/aws/ebs"}),
        ("kms", "ListAliases", {}),
    ],
)
def test_an_answer_fits_its_shape(
    replicas: Replicas, service: str, operation: str, params: dict[str, Any]
) -> None:
    arns = {"LOAD BALANCER": replicas.load_balancer_arn, "TARGET GROUP": replicas.target_group_arn}
    filled = {
        name: arns.get(value, value)
        if isinstance(value, str)
        else [arns.get(item, item) for item in value]
        for name, value in params.items()
    }
    answer = replicas.world.call(service, operation, filled)
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    assert model.output_shape is not None
    assert list(faults(model.output_shape, answer, operation)) == []
    assert any(answer.values())
