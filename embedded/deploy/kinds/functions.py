"""Lambda functions, layers, permissions, and state machines."""

from __future__ import annotations

from typing import Any, Final

from embedded.deploy.code import load_definition, load_handler, put_layer_on_path
from embedded.deploy.errors import DeploymentError
from embedded.deploy.shapes import as_text
from embedded.deploy.site import Change, Kind, Made, Site, place
from embedded.deploy.stack import Resource
from embedded.translate import local_path
from embedded.world.awslambda import FunctionSpec

STATE_MACHINE_NAME_LENGTH: Final = 80
IN_MEMORY: Final = "the code runs in this process"
ONLY_LOCAL: Final = (
    "only the local disk is read here: name a path in the template, and deploy it unpackaged"
)
DEFAULT_ASYNC: Final = {
    "DestinationConfig": {},
    "MaximumEventAgeInSeconds": 21_600,
    "MaximumRetryAttempts": 2,
}
"""What an asynchronous invocation has when a function has no configuration of its own."""
NO_TAGS: Final = "nothing selects this by tag"


def _function(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("FunctionName") or site.name(logical_id)
    return _installed(site, logical_id, properties, name)


def _installed(site: Site, logical_id: str, properties: dict[str, Any], name: str) -> Made:
    code = local_path(properties["Code"])
    if code is None:
        raise DeploymentError(f"{place(logical_id)}.Code", ONLY_LOCAL)
    spec = FunctionSpec(
        name=name,
        handler=load_handler(site.root, code, properties["Handler"]),
        logical_id=logical_id,
        role_arn=properties["Role"],
        timeout_seconds=int(properties.get("Timeout", 3)),
        memory_mb=int(properties.get("MemorySize", 128)),
        environment={
            variable: as_text(value, f"{place(logical_id)}.Environment.{variable}")
            for variable, value in properties.get("Environment", {}).get("Variables", {}).items()
        },
        handler_name=properties["Handler"],
        runtime=properties["Runtime"],
        architecture=properties.get("Architectures", ["x86_64"])[0],
        description=properties.get("Description", ""),
        dead_letter_arn=properties.get("DeadLetterConfig", {}).get("TargetArn"),
        layers=tuple(properties.get("Layers", [])),
        tracing=properties.get("TracingConfig", {}).get("Mode", "PassThrough"),
        log_group=properties.get("LoggingConfig", {}).get("LogGroup"),
        tags={tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])},
    )
    arn = site.world.awslambda.install(spec)
    site.stack.functions[logical_id] = name
    return Made(name, {"Arn": arn})


def _update_function(site: Site, change: Change) -> Made:
    return _installed(site, change.logical_id, change.properties, change.before.physical_id)


def _remove_function(site: Site, resource: Resource) -> bool:
    params = {"FunctionName": resource.physical_id}
    site.call("lambda", "DeleteFunction", params, place(resource.logical_id))
    site.stack.functions.pop(resource.logical_id, None)
    return True


def _layer(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    content = local_path(properties["Content"])
    if content is None:
        raise DeploymentError(f"{place(logical_id)}.Content", ONLY_LOCAL)
    put_layer_on_path(site.root / content)
    name = properties.get("LayerName") or site.name(logical_id)
    arn = site.world.arn("lambda", f"layer:{name}:1")
    return Made(arn, {"LayerVersionArn": arn})


def _permission(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    statement = site.name(logical_id, longest=100)
    site.call("lambda", "AddPermission", properties | {"StatementId": statement}, place(logical_id))
    return Made(statement)


def _remove_permission(site: Site, resource: Resource) -> bool:
    params = {
        "FunctionName": resource.properties["FunctionName"],
        "StatementId": resource.physical_id,
    }
    site.call("lambda", "RemovePermission", params, place(resource.logical_id))
    return True


def _update_event_invoke_config(site: Site, change: Change) -> Made:
    # PutFunctionEventInvokeConfig writes over the whole of an existing configuration.
    site.call("lambda", "PutFunctionEventInvokeConfig", change.properties, place(change.logical_id))
    return Made(change.before.physical_id)


def _remove_event_invoke_config(site: Site, resource: Resource) -> bool:
    params = DEFAULT_ASYNC | {"FunctionName": resource.properties["FunctionName"]}
    site.call("lambda", "PutFunctionEventInvokeConfig", params, place(resource.logical_id))
    return True


def _event_invoke_config(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    site.call("lambda", "PutFunctionEventInvokeConfig", properties, place(logical_id))
    return Made(site.name(logical_id))


def _state_machine(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    params = {
        "name": properties.get("StateMachineName")
        or site.name(logical_id, longest=STATE_MACHINE_NAME_LENGTH),
        "type": properties.get("StateMachineType", "STANDARD"),
        **_machine_content(site, logical_id, properties),
    }
    arn = site.call("stepfunctions", "CreateStateMachine", params, where)["stateMachineArn"]
    return Made(arn, {"Arn": arn, "Name": params["name"]})


def _machine_content(site: Site, logical_id: str, properties: dict[str, Any]) -> dict[str, Any]:
    where = place(logical_id)
    path = local_path(properties.get("DefinitionS3Location"))
    if path is None:
        raise DeploymentError(where, ONLY_LOCAL)
    substitutions = tuple(
        (name, as_text(value, f"{where}.DefinitionSubstitutions.{name}"))
        for name, value in properties.get("DefinitionSubstitutions", {}).items()
    )
    content = {
        "definition": load_definition(site.root / path, substitutions),
        "roleArn": properties["RoleArn"],
    }
    for name in ("LoggingConfiguration", "TracingConfiguration"):
        if name in properties:
            content[_lower(name)] = _lowered(properties[name])
    return content


def _update_state_machine(site: Site, change: Change) -> Made:
    content = _machine_content(site, change.logical_id, change.properties)
    params = content | {"stateMachineArn": change.before.physical_id}
    site.call("stepfunctions", "UpdateStateMachine", params, place(change.logical_id))
    return Made(change.before.physical_id, change.before.attributes)


def _remove_state_machine(site: Site, resource: Resource) -> bool:
    params = {"stateMachineArn": resource.physical_id}
    site.call("stepfunctions", "DeleteStateMachine", params, place(resource.logical_id))
    return True


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _lowered(value: Any) -> Any:
    """Write member names as Step Functions does, where CloudFormation capitalises them."""
    if isinstance(value, dict):
        return {_lower(name): _lowered(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_lowered(entry) for entry in value]
    return value


KINDS: Final[dict[str, Kind]] = {
    "AWS::Lambda::Function": Kind(
        _function,
        frozenset({
            "Architectures", "Code", "DeadLetterConfig", "Description", "Environment",
            "FunctionName", "Handler", "Layers", "LoggingConfig", "MemorySize", "Role", "Runtime",
            "Tags", "Timeout", "TracingConfig",
        }),
        {
            "EphemeralStorage": IN_MEMORY,
            "KmsKeyArn": "environment variables are kept in memory, unencrypted",
            "PackageType": IN_MEMORY,
            "RecursiveLoop": "loops are for the tests to find",
            "ReservedConcurrentExecutions": "one handler runs at a time",
        },
        remove=_remove_function,
        update=_update_function,
        replacing=frozenset({"FunctionName"}),
        name_property="FunctionName",
    ),
    "AWS::Lambda::LayerVersion": Kind(
        _layer,
        frozenset({"Content", "LayerName"}),
        {
            "CompatibleArchitectures": IN_MEMORY,
            "CompatibleRuntimes": IN_MEMORY,
            "Description": "a text for people",
            "LicenseInfo": "a text for people",
        },
    ),
    "AWS::Lambda::Permission": Kind(
        _permission,
        frozenset({"Action", "FunctionName", "Principal", "SourceAccount", "SourceArn"}),
        remove=_remove_permission,
    ),
    "AWS::Lambda::EventInvokeConfig": Kind(
        _event_invoke_config,
        frozenset({
            "DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds",
            "MaximumRetryAttempts", "Qualifier",
        }),
        remove=_remove_event_invoke_config,
        update=_update_event_invoke_config,
        replacing=frozenset({"FunctionName", "Qualifier"}),
    ),
    "AWS::StepFunctions::StateMachine": Kind(
        _state_machine,
        frozenset({
            "DefinitionS3Location", "DefinitionSubstitutions", "LoggingConfiguration", "RoleArn",
            "StateMachineName", "StateMachineType", "TracingConfiguration",
        }),
        {"Tags": NO_TAGS},
        remove=_remove_state_machine,
        update=_update_state_machine,
        replacing=frozenset({"StateMachineName", "StateMachineType"}),
        name_property="StateMachineName",
    ),
}  # fmt: skip
