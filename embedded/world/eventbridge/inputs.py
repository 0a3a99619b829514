"""What a target is given: the event, a part of it, a constant, or a text made from it.

Rules: EventBridge user guide, "Amazon EventBridge input transformation"; limits from the botocore
model ``events`` (Target, InputTransformer).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from embedded.world.errors import AwsError
from embedded.world.eventbridge.paths import MISSING, follow, parse_path

LARGEST_INPUT: Final = 8192
LARGEST_PATHS: Final = 100
RESERVED: Final = frozenset({
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
})  # fmt: skip

_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")
_LINE = re.compile(r'"(?:[^"\\]|\\.)*"')


class UndeliverableInputError(Exception):
    """The transformed input is no JSON, so the target cannot be given it."""


Input = Callable[[Mapping[str, Any], Mapping[str, str]], str]
"""Makes the text for a target from an event and from the rule's name and ARN."""


def input_of(target: Mapping[str, Any]) -> Input:
    """Read a target's ``Input``, ``InputPath`` or ``InputTransformer``.

    Raises
    ------
    AwsError
        ``ValidationException`` when there is more than one of them, or one is not valid.
    """
    given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
    if len(given) > 1:
        raise _invalid(
            "Only one of Input, InputPath, or InputTransformer must be provided for target"
            f" {target['Id']}."
        )
    if target.get("Input"):
        return _constant(target["Input"])
    if target.get("InputPath"):
        return _part(target["InputPath"])
    if target.get("InputTransformer"):
        return _transformer(target["InputTransformer"])
    return lambda event, _: json.dumps(event)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _constant(text: str) -> Input:
    if len(text) > LARGEST_INPUT:
        raise _invalid(f"Input is longer than {LARGEST_INPUT} characters.")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise _invalid(f"JSON syntax error in input: {error}") from error
    return lambda _event, _rule: text


def _part(text: str) -> Input:
    path = parse_path(text)

    def found(event: Mapping[str, Any], _: Mapping[str, str]) -> str:
        value = follow(path, event)
        if value is MISSING:
            # Not documented. Delivering nothing in silence would be kinder than failing.
            raise UndeliverableInputError(f"{text} is not in the event")
        return json.dumps(value)

    return found


def _transformer(transformer: Mapping[str, Any]) -> Input:
    template: str = transformer["InputTemplate"]
    if len(template) > LARGEST_INPUT:
        raise _invalid(f"InputTemplate is longer than {LARGEST_INPUT} characters.")
    named: dict[str, str] = transformer.get("InputPathsMap", {})
    if len(named) > LARGEST_PATHS:
        raise _invalid(f"InputPathsMap has more than {LARGEST_PATHS} entries.")
    if taken := sorted(name for name in named if name.startswith("aws.events.")):
        raise _invalid(f"InputPathsMap uses the reserved name {taken[0]}.")
    paths = {name: parse_path(path) for name, path in named.items()}
    used = set(_VARIABLE.findall(template))
    if unknown := sorted(used - paths.keys() - RESERVED):
        raise _invalid(
            f"InputTemplate for target contains placeholder {unknown[0]}, which InputPathsMap does"
            " not define."
        )
    _check_template(template)

    def made(event: Mapping[str, Any], rule: Mapping[str, str]) -> str:
        values = {name: follow(path, event) for name, path in paths.items()}
        return _filled(template, values | _reserved(event, rule))

    return made


def _check_template(template: str) -> None:
    """Refuse a template that is no object, no array and no lines of quoted text."""
    start = template.lstrip()[:1]
    if start not in {"{", "["} and _LINE.fullmatch(template.split("\n", 1)[0].strip()) is None:
        raise _invalid(
            "Invalid InputTemplate: it has to be a JSON object, an array, or quoted strings."
        )


def _reserved(event: Mapping[str, Any], rule: Mapping[str, str]) -> dict[str, Any]:
    return {
        "aws.events.rule-arn": rule["arn"],
        "aws.events.rule-name": rule["name"],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": dict(event),
    }


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """Put values into a template.

    Outside quotes a variable becomes its JSON text. Inside quotes a string becomes its characters,
    and anything else its JSON text *unescaped*, as the guide warns for ``aws.events.event``. A path
    that is not in the event leaves nothing behind.
    """
    made: list[str] = []
    at = 0
    for found in _VARIABLE.finditer(template):
        before = template[at : found.start()]
        made.append(before)
        quoted = _inside_quotes(template, found.start())
        value = values[found[1]]
        if value is MISSING:
            made.append("")
        elif quoted and isinstance(value, str):
            made.append(json.dumps(value)[1:-1])
        else:
            made.append(json.dumps(value))
        at = found.end()
    made.append(template[at:])
    text = "".join(made)
    for part in [text] if text.lstrip()[:1] in {"{", "["} else text.splitlines():
        try:
            json.loads(part)
        except json.JSONDecodeError as error:
            raise UndeliverableInputError(f"the transformed input is not JSON: {error}") from error
    return text


def _inside_quotes(template: str, position: int) -> bool:
    unescaped = re.sub(r"\\.", "", template[:position])
    return unescaped.count('"') % 2 == 1
