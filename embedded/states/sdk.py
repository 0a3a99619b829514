"""The AWS SDK integrations: any operation of a modelled service, by botocore's own models.

Source: developer guide, "Learning to use AWS service SDK integrations": parameters and results
are in PascalCase whatever the service's own case, and an error is named after the exception class
of the SDK for Java, ``<Service>.<Name>Exception``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.exceptions import HTTPClientError
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from embedded.states.documents import timestamp
from embedded.states.failures import RUNTIME, StateFailedError
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.states.integrations import TaskCall
    from embedded.world.world import World

_SERVICES: Final = {
    "autoscaling": ("autoscaling", "AutoScaling"),
    "cloudwatch": ("cloudwatch", "CloudWatch"),
    "dynamodb": ("dynamodb", "DynamoDb"),
    "ec2": ("ec2", "Ec2"),
    "elasticloadbalancingv2": ("elbv2", "ElasticLoadBalancingV2"),
    "eventbridge": ("events", "EventBridge"),
    "kms": ("kms", "Kms"),
    "lambda": ("lambda", "Lambda"),
    "sfn": ("stepfunctions", "Sfn"),
    "sns": ("sns", "Sns"),
    "sqs": ("sqs", "Sqs"),
    "ssm": ("ssm", "Ssm"),
}
"""The SDK for Java's package name → boto3's name, and the prefix of its errors."""


@dataclass(frozen=True)
class SdkIntegration:
    """``aws-sdk:<service>:<action>``, request and response only."""

    service: str
    action: str
    boto_name: str
    prefix: str
    operation: str
    waits = False

    @classmethod
    def find(cls, service: str, action: str) -> Self | None:
        """Find an operation of a modelled service; None when there is no such operation."""
        if service not in _SERVICES:
            return None
        boto_name, prefix = _SERVICES[service]
        by_lower_case = {name.lower(): name for name in _service_model(boto_name).operation_names}
        operation = by_lower_case.get(action.lower())
        if operation is None or action[0].isupper():
            return None
        return cls(service, action, boto_name, prefix, operation)

    @property
    def resource_type(self) -> str:
        """As the history names it."""
        return f"aws-sdk:{self.service}"

    @property
    def resource(self) -> str:
        """As the history names it."""
        return self.action

    def problems(self, arguments: Any) -> Iterator[str]:
        """Check the names of the arguments against the operation's input shape."""
        if isinstance(arguments, str):
            return
        shape = self._model.input_shape
        allowed = {_pascal(name): name for name in shape.members} if shape else {}
        given = set(arguments or ())
        required = shape.required_members if shape else []
        for name in required:
            if _pascal(name) not in given:
                yield f"The field '{_pascal(name)}' is required in Arguments but was missing"
        for name in sorted(given - set(allowed)):
            yield f"The field '{name}' is not supported in Arguments"

    def seconds(self, world: World, arguments: Any) -> float:  # noqa: ARG002 - for all alike
        """No emulated time passes."""
        return 0

    def call(self, task: TaskCall) -> Any:
        """Call the operation in the world."""
        shape = self._model.input_shape
        params = copied(_to_wire(shape, task.arguments or {})) if shape else {}
        wrong = ParamValidator().validate(params, shape) if shape else None
        if wrong is not None and wrong.has_errors():
            # Uncatchable on AWS too: the request could not even be built.
            raise StateFailedError(
                RUNTIME,
                f"The Arguments could not be used to start the Task: {wrong.generate_report()}",
            )
        try:
            reply = task.world.call(
                self.boto_name, self.operation, params, caller=task.caller, role=task.role
            )
        except NotEmulatedError:
            raise
        except AwsError as refusal:
            raise self._refused(refusal) from refusal
        except (HTTPClientError, NoConnectionError) as silence:
            raise StateFailedError(f"{self.prefix}.SdkClientException", str(silence)) from None
        output = self._model.output_shape
        return _from_wire(output, reply) if output else {}

    @property
    def _model(self) -> OperationModel:
        return _service_model(self.boto_name).operation_model(self.operation)

    def _refused(self, refusal: AwsError) -> StateFailedError:
        """Name the exception class of the SDK for Java: modelled by its shape, else the general."""
        name = self.prefix
        for shape in _service_model(self.boto_name).error_shapes:
            if refusal.code in {shape.metadata.get("error", {}).get("code"), shape.name}:
                name = shape.name
                break
        for suffix in ("Exception", "Fault", "Error"):
            name = name.removesuffix(suffix)
        cause = f"{refusal.message} (Service: {self.prefix}, Status Code: {refusal.http_status})"
        return StateFailedError(f"{self.prefix}.{name}Exception", cause)


@functools.cache
def _service_model(boto_name: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(boto_name, "service-2"), boto_name)


def _pascal(name: str) -> str:
    return name[:1].upper() + name[1:]


def _to_wire(shape: Shape, value: Any) -> Any:
    """Give the service's own names to members; unknown ones stay, for the validator to report."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        own = {_pascal(name): name for name in shape.members}
        return {
            own.get(name, name): _to_wire(shape.members[own[name]], member)
            if name in own
            else member
            for name, member in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_to_wire(shape.member, member) for member in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _to_wire(shape.value, member) for name, member in value.items()}
    return value


def _from_wire(shape: Shape, value: Any) -> Any:
    """Give a reply the names and types of the integration's result."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            _pascal(name): _from_wire(shape.members[name], member)
            for name, member in value.items()
            if name in shape.members
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_from_wire(shape.member, member) for member in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _from_wire(shape.value, member) for name, member in value.items()}
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, bytes):
        raise NotEmulatedError(f"binary members ({shape.name}) in the result of an SDK integration")
    return value
