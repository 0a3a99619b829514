"""How fast the simulation plays: the machine's own time that searching for mistakes takes."""

from __future__ import annotations

import time

from tests.simulation.dice import schedule_of
from tests.simulation.play import play
from tests.simulation.run import Tally, prepare_process

WARM_UP = 2
"""Seeds that are played before the measured ones, so that nothing is loaded while it is timed."""


def rollouts_per_cpu_second(seeds: int = 40) -> float:
    """How many rollouts one core plays in a second of its own time, every check included.

    Rollouts are executions that claimed their fleet: what is queued, skipped or refused before is
    played as well, and not counted.

    Fleets have one to ten instances, and one seed in eight holds every request and reply against
    botocore's shapes, as in any run of the simulation. It is processor time because other programs
    on the machine must not count; this process looks for garbage as the simulation's ones do from
    then on.

    Parameters
    ----------
    seeds
        How many to measure, from seed 0 on.
    """
    prepare_process()
    for seed in range(seeds, seeds + WARM_UP):
        play(schedule_of(seed))
    tally, began = Tally(), time.process_time()
    for seed in range(seeds):
        tally.count(play(schedule_of(seed)))
    return tally.claimed / (time.process_time() - began)
