"""``make bench``: measure the budgets, print them, and write ``build/bench.json``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.performance import comparisons, imports, rollouts

RESULT = Path("build/bench.json")


@dataclass(frozen=True)
class Measured:
    """One figure and its budget; None where there is none."""

    what: str
    value: float
    unit: str
    budget: float | None

    @property
    def within(self) -> bool:
        """Whether the figure keeps its budget."""
        return self.budget is None or self.value <= self.budget


def measure() -> list[Measured]:
    """Measure everything."""
    healthy = rollouts.healthy_rollout()
    refresh, rollback = rollouts.event_to_refresh(), rollouts.signal_to_rollback()
    calls = rollouts.assessment_calls(40)
    used = rollouts.clients_used()
    slowest = max(
        (imports.measure(name, clients) for name, clients in used.items()),
        key=lambda one: one.ratio,
    )
    compared = comparisons.idle_fleets(500)
    hours = healthy.duration.total_seconds() / 3600
    return [
        Measured("event to StartInstanceRefresh, emulated", refresh.emulated, "s", 1),
        Measured("the same, this machine's time", refresh.machine, "s", 1),
        Measured("alarm signal to RollbackInstanceRefresh, emulated", rollback.emulated, "s", 2),
        Measured("the same, this machine's time", rollback.machine, "s", 2),
        Measured(f"transitions, healthy rollout of {hours:.1f} h", healthy.transitions, "", 120),
        Measured("history events of it", healthy.history_events, "", 15_000),
        Measured("cost of it", healthy.cost_usd, "$", 0.005),
        Measured(f"calls of a look, {calls.capacity} instances", calls.waiting, "", 6),
        Measured("calls of a look and the way back", calls.deciding, "", 12),
        Measured(f"calls for each of {compared.fleets} idle fleets", compared.per_fleet, "", 3),
        Measured("calls in the longest run of that comparison", compared.longest, "", 300),
        Measured(f"import of {slowest.function} by the bare SDK's", slowest.ratio, "x", 1.4),
        Measured("rollouts played on one core", rollouts.rollouts_per_second(), "/s", None),
    ]


def main() -> int:
    """Print the figures; 1 when a budget is not kept."""
    figures = measure()
    table = Table("figure", "value", "budget", title="Budgets")
    for one in figures:
        budget = "" if one.budget is None else f"{one.budget:g} {one.unit}".strip()
        style = "" if one.within else "red"
        table.add_row(one.what, f"{one.value:.3g} {one.unit}".strip(), budget, style=style)
    Console(width=100).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps([asdict(one) for one in figures], indent=2) + "\n", encoding="utf-8"
    )
    return 0 if all(one.within for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
