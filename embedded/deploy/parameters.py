"""Template parameters: defaults, given values, and what CloudFormation checks of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from embedded.deploy.errors import DeploymentError

LIST_TYPES: Final = ("CommaDelimitedList", "List<")
STORED: Final = "AWS::SSM::Parameter::"
"""Begins the types whose value is the name of a parameter in Parameter Store, or that name."""
KNOWN: Final = frozenset({
    "AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description",
    "MaxLength", "MaxValue", "MinLength", "MinValue", "NoEcho", "Type",
})  # fmt: skip


def parameter_values(
    declared: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, str],
    stored: Callable[[str], str],
) -> dict[str, Any]:
    """Give the value of each parameter: text, or a list of texts for list types.

    ``stored`` looks a name up in Parameter Store, for the types that ask for it.

    Raises
    ------
    DeploymentError
        For a value without parameter, a parameter without value, or a value that is not allowed.
    """
    if unknown := sorted(given.keys() - declared.keys()):
        raise DeploymentError(f"Parameters.{unknown[0]}", "the template does not declare it")
    return {name: _value(name, rules, given, stored) for name, rules in declared.items()}


def _value(
    name: str, rules: Mapping[str, Any], given: Mapping[str, str], stored: Callable[[str], str]
) -> Any:
    where = f"Parameters.{name}"
    if unknown := sorted(rules.keys() - KNOWN):
        raise DeploymentError(where, f"{unknown[0]} is not known")
    if name not in given and "Default" not in rules:
        raise DeploymentError(where, "it has no default, and no value was given")
    text = str(given.get(name, rules.get("Default")))
    if rules["Type"].startswith(STORED):
        _check(where, text, rules)
        return _looked_up(rules["Type"], text, stored)
    if not rules["Type"].startswith(LIST_TYPES):
        _check(where, text, rules)
        return text
    items = [item.strip() for item in text.split(",")] if text else []
    for item in items:
        _check(where, item, rules)
    return items


def _looked_up(type_name: str, text: str, stored: Callable[[str], str]) -> Any:
    """Resolve the types that name a parameter in Parameter Store."""
    inner = type_name.removeprefix(STORED)
    if inner == "Name":
        return text
    value = stored(text)
    return value.split(",") if "List<" in inner or "CommaDelimitedList" in inner else value


def _check(where: str, text: str, rules: Mapping[str, Any]) -> None:
    problem = _problem(text, rules)
    if problem is not None:
        hint = rules.get("ConstraintDescription")
        raise DeploymentError(where, f"{text!r} {problem}" + (f" ({hint})" if hint else ""))


def _problem(text: str, rules: Mapping[str, Any]) -> str | None:
    allowed = [str(value) for value in rules.get("AllowedValues", [])]
    if allowed and text not in allowed:
        return f"is not one of {', '.join(allowed)}"
    pattern = rules.get("AllowedPattern")
    if pattern is not None and re.fullmatch(pattern, text) is None:
        return f"does not match {pattern}"
    if not int(rules.get("MinLength", 0)) <= len(text) <= int(rules.get("MaxLength", len(text))):
        return f"is {len(text)} characters long, which is not allowed"
    if "Number" in rules["Type"]:
        return _problem_of_number(text, rules)
    return None


def _problem_of_number(text: str, rules: Mapping[str, Any]) -> str | None:
    try:
        number = float(text)
    except ValueError:
        return "is no number"
    if "MinValue" in rules and number < float(rules["MinValue"]):
        return f"is less than {rules['MinValue']}"
    if "MaxValue" in rules and number > float(rules["MaxValue"]):
        return f"is more than {rules['MaxValue']}"
    return None
