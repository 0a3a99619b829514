"""What a comparison of many idle fleets takes: calls of each service, and per fleet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from embedded.scenarios.stage import Stage, StagedFleet
from snaproll.aws.ledger import Change, Ledger
from snaproll.domain.ledger import FleetState
from snaproll.domain.release import Release, TemplateVersion

COMPARISON = "ReconcileFleetsFunction"
BETWEEN_SECONDS = 900


@dataclass(frozen=True)
class Comparison:
    """The calls of one comparison, its runs, and the most calls that one run makes."""

    fleets: int
    runs: int
    calls: Counter[str]
    """By ``service:Operation``."""
    longest: int

    @property
    def per_fleet(self) -> float:
        """All calls, divided among the fleets."""
        return self.calls.total() / self.fleets

    def of(self, service: str) -> int:
        """The calls of one service."""
        return sum(count for name, count in self.calls.items() if name.startswith(f"{service}:"))


def idle_fleets(count: int) -> Comparison:
    """Let one comparison of so many fleets run on which nothing happens."""
    stage = Stage(check_replies=False, check_requests=False)
    # No comparison may come while the fleets are built: it would have something to do.
    fleets = [
        stage.add_fleet(f"fleet-{number}", capacity=1, settle=False) for number in range(count)
    ]
    for fleet in fleets:
        _make_live(stage, fleet)
    # The first one finds the index as the parameters' events left it; the second nothing at all.
    stage.world.run_for(BETWEEN_SECONDS + 60)
    first, runs = len(stage.world.calls), len(stage.world.awslambda.runs)
    stage.world.run_for(BETWEEN_SECONDS)
    ours = [one for one in stage.world.calls[first:] if one.caller == COMPARISON]
    made = [one for one in stage.world.awslambda.runs[runs:] if "reconcile" in one.function]
    if any(one.error_type for one in made):
        raise RuntimeError(f"a comparison failed: {[one.error_type for one in made]}")
    # The world runs one handler at a time, and each page begins by reading the index.
    pages = [number for number, one in enumerate(ours) if one.operation == "Query"]
    return Comparison(
        fleets=count,
        runs=len(made),
        calls=Counter(f"{one.service}:{one.operation}" for one in ours),
        longest=max(end - start for start, end in zip(pages, [*pages[1:], len(ours)], strict=True)),
    )


def _make_live(stage: Stage, fleet: StagedFleet) -> None:
    """Let the ledger call what a fleet serves live, as if a rollout had proved it."""
    table = stage.stack.outputs["LedgerTableName"]
    ledger = Ledger(stage.session.client("dynamodb"), table)
    live = Release(
        snapshot=fleet.first_snapshot,
        template=TemplateVersion(template_id=fleet.template_id, version=1),
        data_time=stage.world.clock.now(),
    )
    ledger.change(fleet.name, lambda _: Change(FleetState(live=live)))


if __name__ == "__main__":
    found = idle_fleets(500)
    print(f"{found.fleets} fleets, {found.runs} runs, {found.per_fleet:.2f} calls for each")
    for name, number in sorted(found.calls.items()):
        print(f"{number:6} {name}")
    print(f"{found.longest:6} in the longest run")
