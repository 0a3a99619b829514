"""``make bench``: measure the budgets, print them, and write ``build/bench.json``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.performance import comparisons, imports, rollouts, simulated

RESULT = Path("build/bench.json")


@dataclass(frozen=True)
class Measured:
    """One figure and its budget; None where there is none."""

    what: str
    value: float
    unit: str
    budget: float | None
    at_least: bool = False
    """Whether the budget is the least that is wanted, and not the most that is allowed."""

    @property
    def within(self) -> bool:
        """Whether the figure keeps its budget."""
        if self.budget is None:
            return True
        return self.value >= self.budget if self.at_least else self.value <= self.budget

    @property
    def told_budget(self) -> str:
        """The budget as people read it."""
        if self.budget is None:
            return ""
        return f"{'>= ' if self.at_least else ''}{self.budget:g} {self.unit}".strip()


def measure() -> list[Measured]:
    """Measure everything."""
    healthy = rollouts.healthy_rollout()
    refresh, rollback = rollouts.event_to_refresh(), rollouts.signal_to_rollback()
    calls = rollouts.assessment_calls(1000)
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
        Measured(f"calls of a look that waits, {calls.capacity} instances", calls.waiting, "", 6),
        Measured("calls of a look that decides", calls.deciding, "", 12),
        Measured("calls of the step that rolls back", calls.rolling_back, "", None),
        Measured(f"calls for each of {compared.fleets} idle fleets", compared.per_fleet, "", 3),
        Measured("calls in the longest run of that comparison", compared.longest, "", 300),
        Measured(f"import of {slowest.function} by the bare SDK's", slowest.ratio, "x", 1.4),
        Measured(
            "simulated rollouts in a CPU second of one core",
            simulated.rollouts_per_cpu_second(),
            "/s",
            30,
            at_least=True,
        ),
    ]


def main() -> int:
    """Print the figures; 1 when a budget is not kept."""
    figures = measure()
    table = Table("figure", "value", "budget", title="Budgets")
    for one in figures:
        style = "" if one.within else "red"
        table.add_row(one.what, f"{one.value:.3g} {one.unit}".strip(), one.told_budget, style=style)
    Console(width=100).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps([asdict(one) for one in figures], indent=2) + "\n", encoding="utf-8"
    )
    return 0 if all(one.within for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
