"""Every AWS call that snaproll makes, or tells people to make: read from what it consists of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import botocore.session
import yaml
from botocore import xform_name

from embedded.deploy import deploy
from embedded.world.world import World
from tests.contract.scene import ROOT

PACKAGE: Final = ROOT / "layers" / "snaproll" / "src"
STUBS: Final = "mypy_boto3_"
IAM_NAMES: Final = {"elasticloadbalancing": "elbv2", "states": "stepfunctions"}
"""Where IAM calls a service by another name than boto3."""
IAM_ACTIONS: Final = {"lambda:InvokeFunction": "lambda:Invoke"}
"""Where IAM calls an operation by another name than its API."""
BY_OTHERS: Final[Mapping[str, str]] = {
    "ec2:RunInstances": "Auto Scaling makes its dry run with the caller's rights",
    "iam:PassRole": "no operation: asked for with that dry run",
    "kms:Decrypt": "SNS and SQS ask for it when somebody sends to what is encrypted",
    "kms:GenerateDataKey*": "the same",
    "logs:": "Step Functions asks for it when its logging is set up",
    "sqs:SendMessage": "Lambda sends what failed every try",
    "dynamodb:ConditionCheckItem": "a part of TransactWriteItems",
    "xray:": "the tracing daemon sends them",
}
"""Rights of roles that none of snaproll's own calls uses, by how they begin."""
CLI_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "cloudformation deploy": (
        "cloudformation:DescribeStacks",
        "cloudformation:CreateChangeSet",
        "cloudformation:DescribeChangeSet",
        "cloudformation:ExecuteChangeSet",
    ),
    "ecr get-login-password": ("ecr:GetAuthorizationToken",),
}
"""Commands of the CLI that are no operation, and what they call."""
_COMMAND: Final = re.compile(
    r"(?<![\w./-])aws (?P<service>[a-z0-9]+) (?P<verb>[a-z]+(?:-[a-z]+)+|deploy)"
)


@cache
def operations(service: str) -> dict[str, str]:
    """A service's operations by the name of boto3's method."""
    model = botocore.session.Session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def of_the_package() -> set[str]:
    """The calls on SDK clients that are handed to the package's classes."""
    found: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        clients = _client_types(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found |= set(_calls_of(node, clients))
    return found


def _client_types(tree: ast.Module) -> dict[str, str]:
    """The names of client types that a module imports, and their services."""
    return {
        name.name: node.module.removeprefix(STUBS)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(STUBS)
        for name in node.names
        if node.module is not None and "." not in node.module
    }


def _calls_of(definition: ast.ClassDef, clients: Mapping[str, str]) -> Iterator[str]:
    services = dict(_held_clients(definition, clients))
    for node in ast.walk(definition):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        holder = node.func.value
        if not isinstance(holder, ast.Attribute) or holder.attr not in services:
            continue
        service, method = services[holder.attr], node.func.attr
        if method == "get_paginator":
            [method] = [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
        yield f"{service}:{operations(service)[method]}"


def _held_clients(
    definition: ast.ClassDef, clients: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The attributes that hold a client, and its service."""
    for node in definition.body:
        if not isinstance(node, ast.FunctionDef) or node.name != "__init__":
            continue
        given = {
            one.arg: clients[one.annotation.id]
            for one in node.args.args
            if isinstance(one.annotation, ast.Name) and one.annotation.id in clients
        }
        for line in ast.walk(node):
            if isinstance(line, ast.Assign) and isinstance(line.value, ast.Name):
                for target in line.targets:
                    if isinstance(target, ast.Attribute) and line.value.id in given:
                        yield target.attr, given[line.value.id]


def of_the_definitions() -> set[str]:
    """What the state machines call without a function in between, and that they call functions."""
    found = set()
    for path in sorted((ROOT / "statemachines").glob("*.asl.yaml")):
        states = yaml.safe_load(path.read_text(encoding="utf-8"))["States"]
        for state in states.values():
            if "Resource" in state:
                found.add(_integration(state["Resource"]))
    return found


def _integration(resource: str) -> str:
    *_, service, action = resource.removesuffix(".waitForTaskToken").split(":")
    return f"{service}:{action[0].upper()}{action[1:]}"


def of_the_roles() -> set[str]:
    """What the roles allow, as calls; what others do under them is left out."""
    world = World()
    stack = deploy(world, ROOT / "template.yaml", {"Environment": "demo"})
    allowed = {
        action
        for role in stack.roles.values()
        for statement in world.access.statements(role.arn)
        for action in statement.actions
    }
    return {_call(action) for action in allowed if not action.startswith(tuple(BY_OTHERS))}


def _call(action: str) -> str:
    service, _, name = action.partition(":")
    return IAM_ACTIONS.get(action) or f"{IAM_NAMES.get(service, service)}:{name}"


def for_people() -> set[str]:
    """What the documents, the fleet's user data and messages tell people and machines to call."""
    places: list[Path] = [
        ROOT / "README.md",
        # But for the page on conformance, whose commands are for whoever checks AWS itself.
        *sorted({*(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "conformance.md"}),
        ROOT / "fleet" / "user-data.sh",
        *sorted(PACKAGE.rglob("*.py")),
    ]
    return {
        call
        for place in places
        for found in _COMMAND.finditer(place.read_text(encoding="utf-8"))
        for call in _of_command(found)
    }


def _of_command(found: re.Match[str]) -> Iterator[str]:
    service, verb = found["service"], found["verb"]
    if f"{service} {verb}" in CLI_OWN:
        yield from CLI_OWN[f"{service} {verb}"]
        return
    known: Any = operations(service).get(verb.replace("-", "_"))
    if known is not None:
        yield f"{service}:{known}"
    else:
        raise AssertionError(f"{found[0]} is no command")
