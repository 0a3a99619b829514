"""Writes the parts of the documentation that say what the code says.

``python -m tools.docs`` writes them; a test fails when what is committed is not current.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from snaproll.contracts.publish.events import MaterializedDetail
from snaproll.domain.fleet import FleetPolicy
from snaproll.domain.probe_contract import ProbeAnswer, ProbeRequest
from snaproll.domain.writer import WriterPolicy
from tools.conformance.page import page as conformance_page
from tools.definition import Transition, machines, read, transitions
from tools.fleet import parameters_page

DOCS: Final = Path(__file__).parents[1] / "docs"

_ENDS: Final = {"Succeed": "good", "Fail": "bad"}
_FROM_ANY_STEP: Final = Transition(source="", target="Superseded", on="ClaimLostError", caught=True)
"""Ways like this one, from every step that acts, would hide the others: a note tells of them."""


def states_page(machine: str) -> str:
    """A page with a machine's states: a Mermaid diagram, and what each state is for."""
    definition = read(machines()[machine])
    return f"""# The states of a {machine}

{definition["Comment"].strip()}

*Made from `statemachines/{machine}.asl.yaml` by `make docs`.* A mark ✗ goes before the error that
is caught on the way. An error that is caught nowhere fails the execution where it happened, and a
redrive continues there.

```mermaid
{_diagram(definition)}
```

{_table(definition["States"])}
"""


def _diagram(definition: dict[str, Any]) -> str:
    states = definition["States"]
    lines = ["stateDiagram-v2", f"[*] --> {definition['StartAt']}"]
    drawn = [way for way in transitions(states) if not _is_from_any_step(way)]
    lines += [f"{way.source} --> {way.target}{_label(way)}" for way in drawn]
    lines.append(f"note left of {_FROM_ANY_STEP.target}: ✗ {_FROM_ANY_STEP.on}, from any step")
    for name, state in states.items():
        if kind := _ENDS.get(state["Type"]):
            lines += [f"{name} --> [*]", f"class {name} {kind}"]
    lines += ["classDef good fill:#dfd,color:#000", "classDef bad fill:#fdd,color:#000"]
    return lines[0] + "\n" + "\n".join(f"    {line}" for line in lines[1:])


def _is_from_any_step(way: Transition) -> bool:
    return (way.target, way.on) == (_FROM_ANY_STEP.target, _FROM_ANY_STEP.on)


def _label(way: Transition) -> str:
    if not way.on:
        return ""
    if way.caught:
        return f": ✗ {way.on}"
    named = re.fullmatch(r'\$\w+\.\w+ = "(\w+)"', way.on)
    return f": {named[1] if named else _plain(way.on)}"


def _plain(condition: str) -> str:
    """A simple condition without the marks of JSONata, some of which Mermaid takes for its own."""
    words = condition.replace("$not(", "not ").replace("$boolean(", "")
    return re.sub(r"[$();#]", "", words)


def _table(states: dict[str, dict[str, Any]]) -> str:
    rows = [
        f"| `{name}` | {state['Type']} | {state['Comment'].strip()} |"
        for name, state in states.items()
    ]
    return "\n".join(["| state | type | what it is for |", "|---|---|---|", *rows])


def schema(model: type[BaseModel]) -> str:
    """The JSON Schema of a parameter, an event's detail or a question."""
    # In this mode defaults are written as people write them: 10m, not PT10M.
    return _schema(model.model_json_schema(mode="serialization"))


def probe_answer_schema() -> str:
    """The JSON Schema of what a probe answers."""
    return _schema(ProbeAnswer.model_json_schema())


def _schema(schema: dict[str, Any]) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    **{f"{machine}-states.md": partial(states_page, machine) for machine in machines()},
    "conformance.md": conformance_page,
    "fleet-parameters.md": parameters_page,
    "fleet-schema.json": partial(schema, FleetPolicy),
    "probe-request-schema.json": partial(schema, ProbeRequest),
    "probe-answer-schema.json": probe_answer_schema,
    "writer-schema.json": partial(schema, WriterPolicy),
    "data-materialized-schema.json": partial(schema, MaterializedDetail),
}
"""What is made, by its name under docs/."""


def main() -> None:
    """Write every page."""
    for name, made in PAGES.items():
        (DOCS / name).write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    main()
