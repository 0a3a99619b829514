"""Makes properties of a template fit an API's input: names checked, texts turned into numbers.

CloudFormation properties carry the API's member names, mostly, and its parameters are all text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from embedded.deploy.errors import DeploymentError

if TYPE_CHECKING:
    from botocore.client import BaseClient

BOOLEANS: Final = {"true": True, "false": False}


def api_params(
    client: BaseClient, operation: str, properties: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Turn properties into the parameters of an operation.

    Raises
    ------
    DeploymentError
        For a property that the operation does not take, at any depth, or a value that cannot be
        what it has to be.
    """
    shape = client.meta.service_model.operation_model(operation).input_shape
    params: dict[str, Any] = _fitted(shape, dict(properties), where)
    return params


def _fitted(shape: Any, value: Any, where: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, value, where)
    if kind == "list":
        if not isinstance(value, list):
            raise DeploymentError(where, f"{value!r} is no list")
        return [_fitted(shape.member, entry, f"{where}[{n}]") for n, entry in enumerate(value)]
    if kind == "map":
        return {key: _fitted(shape.value, entry, f"{where}.{key}") for key, entry in value.items()}
    return _scalar(kind, value, where)


def _structure(shape: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DeploymentError(where, f"{value!r} is no object")
    fitted = {}
    for name, entry in value.items():
        if name not in shape.members:
            raise DeploymentError(f"{where}.{name}", "this property is not supported")
        fitted[name] = _fitted(shape.members[name], entry, f"{where}.{name}")
    return fitted


def _scalar(kind: str, value: Any, where: str) -> Any:
    try:
        if kind == "boolean":
            return value if isinstance(value, bool) else BOOLEANS[str(value).lower()]
        if kind in {"integer", "long"}:
            return int(value)
        if kind in {"float", "double"}:
            return float(value)
    except (KeyError, TypeError, ValueError):
        raise DeploymentError(where, f"{value!r} is no {kind}") from None
    if kind == "string":
        return as_text(value, where)
    return value


def as_text(value: Any, where: str) -> str:
    """Give a scalar as CloudFormation writes it into a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise DeploymentError(where, f"{type(value).__name__} where a text is needed")
