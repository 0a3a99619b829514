"""Tells what happened in a seed, and what came of many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from embedded.states.history import duration, moments
from tests.simulation.play import Played
from tests.simulation.run import Tally

_SCHEDULE = "schedule"


def timeline(played: Played) -> str:
    """Tell a seed's story as plain text.

    One line for each thing that the schedule did to the world, and for each thing that a rollout
    did, in the order of emulated time; at the end what was violated and what shows it.
    """
    return "\n".join(_lines(played))


def _lines(played: Played) -> Iterator[str]:
    schedule = played.schedule
    sizes = " and ".join(f"a fleet of {fleet.capacity}" for fleet in schedule.fleets)
    yield f"seed {schedule.seed}: {sizes}"
    for fleet in schedule.fleets:
        yield f"  {fleet.model_dump_json()}"
    names = {
        execution.name: f"rollout {number}"
        for number, execution in enumerate(played.executions, start=1)
    }
    names |= {
        execution.name: f"publish {number}"
        for number, execution in enumerate(played.publishes, start=1)
    }
    for name, short in names.items():
        yield f"  {short} is {name}"
    yield ""
    told = [(one.at, _SCHEDULE, "", one.what) for one in played.happenings]
    for execution in (*played.executions, *played.publishes):
        told += [(at, names[execution.name], state, what) for at, state, what in moments(execution)]
    width = max((len(state) for _, _, state, _ in told), default=0)
    for at, who, state, what in sorted(told, key=lambda line: line[0]):
        yield f"{_since(played.began, at):>14}  {who:<9}  {state:<{width}}  {what}".rstrip()
    if played.violation is not None:
        violation = played.violation
        yield ""
        yield f"{_since(played.began, played.ended):>14}  VIOLATED {violation}"
        for name, value in violation.evidence.items():
            yield f"{'':>16}{name}: {value}"


def _since(began: datetime, at: datetime) -> str:
    return f"+{duration(at - began)}"


def failure(played: Played, most_rollouts: int) -> str:
    """Tell everything about a seed that failed: its story, its schedule, how to see it again."""
    schedule = played.schedule
    again = f"python -m tests.simulation --seed {schedule.seed} --rollouts {most_rollouts}"
    return "\n".join(
        [
            timeline(played),
            "",
            "schedule:",
            schedule.model_dump_json(),
            "",
            f"replay it:  {again}",
        ]
    )


def summary(tally: Tally, claimed: int, seconds: float, jobs: int) -> str:
    """Say what came of many seeds, and how fast they were played.

    Only rollouts that took the fleet's claim count for the speed: a skipped one costs nothing.
    """
    # What an earlier run counted was not played in this one's time.
    listed = ", ".join(f"{count} {name}" for name, count in tally.outcomes.most_common())
    speed, cores = claimed / seconds, "core" if jobs == 1 else "cores"
    lines = (
        f"{tally.seeds} seeds: {tally.executions} executions, of which {tally.claimed} rollouts",
        f"held a claim; {tally.happenings} things happened to them in {tally.hours:,.0f} emulated",
        f"hours\noutcomes: {listed}\n{seconds:.1f} s on {jobs} {cores}: {speed:.1f} rollouts/s,",
        f"{speed / jobs:.1f} for each core\n{_verdict(tally)}",
    )
    return " ".join(lines)


def _verdict(tally: Tally) -> str:
    if not tally.failed:
        return "no violation"
    return f"VIOLATED by {len(tally.failed)} seeds: {', '.join(map(str, tally.failed))}"
