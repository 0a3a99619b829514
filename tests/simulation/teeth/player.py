"""Runs in a copy of the repository with a bug in it, and plays seeds until one violates something.

Every line that it prints is a ``Heard`` as JSON.
"""

from __future__ import annotations

import builtins
import sys
from pathlib import Path

import snaproll
from embedded.scenarios.stage import Stage
from tests.simulation.dice import schedule_of
from tests.simulation.play import outcome_of, play
from tests.simulation.run import prepare_process
from tests.simulation.teeth.heard import Heard
from tests.simulation.violation import Violation

_DENIED = "AccessDeniedError"


def main(arguments: list[str]) -> int:
    """Play seeds from the first argument up to the second, those named after it, or both."""
    root = Path.cwd()
    if not Path(snaproll.__path__[0]).is_relative_to(root):
        raise RuntimeError(f"the package is not that of {root} but of {snaproll.__path__[0]}")
    prepare_process()
    _say(Heard(story=_plain_story()))
    go_on = arguments[0] == "all"
    for seed in map(int, arguments[1:]) if go_on else range(int(arguments[0]), int(arguments[1])):
        schedule = schedule_of(seed)
        violation = play(schedule).violation
        if violation is None:
            _say(Heard(seed=seed))
            continue
        said = Heard(seed=seed, invariant=violation.invariant, sentence=violation.sentence)
        _say(said.model_copy(update={"blunt": _why_blunt(violation)}))
        if not go_on:
            break
    return 0


def _say(heard: Heard) -> None:
    print(heard.model_dump_json(exclude_defaults=True), flush=True)


def _plain_story() -> str:
    """How the first rollout ends that anybody would try: a good snapshot, and nothing goes wrong.

    A bug that shows here needs no simulation to be found.
    """
    stage = Stage(check_replies=False, check_requests=False)
    return outcome_of(stage.roll(stage.add_fleet("plain", capacity=2)))


def _why_blunt(violation: Violation) -> str:
    """Why a find says nothing of the simulation: the code just does not run; empty when it does."""
    error = str(violation.evidence.get("error") or "")
    if violation.invariant == "crash":
        return str(violation.evidence.get("traceback", violation.sentence))
    if hasattr(builtins, error) or error.startswith(_DENIED):
        return f"{error}: {violation.evidence.get('cause')}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
