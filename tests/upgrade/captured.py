"""What the version before left behind: its definition, its ledger items, its payloads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from embedded.scenarios.stage import Stage, StagedFleet

BEFORE = Path(__file__).parent / "schema-1"
VERSION = 1

Item = dict[str, Any]
"""A ledger item in DynamoDB's own JSON."""


def items() -> dict[str, list[Item]]:
    """Ledger items by what was going on when they were captured."""
    found: dict[str, list[Item]] = json.loads((BEFORE / "items.json").read_text(encoding="utf-8"))
    return found


def payloads() -> dict[str, list[dict[str, Any]]]:
    """Payloads by the folder of the function that they were for."""
    found = json.loads((BEFORE / "payloads.json").read_text(encoding="utf-8"))
    return {name.replace("-", "_"): each for name, each in found.items()}


def definition(stage: Stage) -> str:
    """The definition, with the functions of a stack in it."""
    text = (BEFORE / "rollout.asl.yaml").read_text(encoding="utf-8")
    for logical_id in stage.stack.functions:
        text = text.replace(f"${{{logical_id}}}", stage.stack.attribute(logical_id, "Arn"))
    assert "${" not in text, "a function of the version before is gone"
    return json.dumps(yaml.safe_load(text))


def rewrite_state(stage: Stage, fleet: StagedFleet) -> None:
    """Rewrite a fleet's state as the version before would have written it."""
    client, table = stage.session.client("dynamodb"), stage.stack.outputs["LedgerTableName"]
    key: Any = {"pk": {"S": f"FLEET#{fleet.name}"}, "sk": {"S": "STATE"}}
    present: Item = dict(client.get_item(TableName=table, Key=key)["Item"])
    states = [one for group in items().values() for one in group if one["sk"]["S"] == "STATE"]
    old: Any = _only(present, {path for state in states for path in _paths(state)})
    client.put_item(TableName=table, Item={**old, "schema_version": {"N": str(VERSION)}})


def _paths(members: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in members.items():
        yield (*above, name)
        yield from _paths(value.get("M", {}), (*above, name))


def _only(
    members: Mapping[str, Any], paths: set[tuple[str, ...]], above: tuple[str, ...] = ()
) -> Item:
    return {
        name: {"M": _only(value["M"], paths, (*above, name))} if "M" in value else value
        for name, value in members.items()
        if (*above, name) in paths
    }
