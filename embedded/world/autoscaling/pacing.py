"""How many instances a refresh may launch and terminate now: arithmetic, without effects."""

from __future__ import annotations

from dataclasses import dataclass

PERCENT = 100


def share_rounded_up(percent: int, whole: int) -> int:
    """``percent`` of ``whole``, rounded up."""
    return -(-percent * whole // PERCENT)


@dataclass(frozen=True)
class Bounds:
    """How many instances must be ready, and how many there may be, for one desired capacity.

    Parameters
    ----------
    minimum
        Instances that must stay in service, healthy and warmed up.
    maximum
        Instances that may be in service or pending; None when the caller named no maximum.
    """

    minimum: int
    maximum: int | None

    @classmethod
    def of(
        cls,
        desired: int,
        minimum_percent: int,
        maximum_percent: int | None,
        *,
        maximum_size: int | None = None,
    ) -> Bounds:
        """The bounds in instances.

        The minimum is rounded up (an older text of botocore's RefreshPreferences; the newest
        says nothing). How the maximum is rounded is not documented: down, which is slower.

        An explicit maximum that leaves no room to replace anything is exceeded by one instance
        (botocore, RefreshPreferences.MaxHealthyPercentage): min = max = 100 launches first.

        Whether a refresh may go above the group's maximum size is not documented. Here it may not,
        so that one that has to is stuck.
        """
        minimum = share_rounded_up(minimum_percent, desired)
        if maximum_percent is None:
            return cls(minimum, None)
        maximum = max(maximum_percent * desired // PERCENT, minimum + 1)
        if maximum_size is not None:
            maximum = max(desired, min(maximum, maximum_size))
        return cls(minimum, maximum)

    @property
    def stuck(self) -> bool:
        """Whether no healthy instance can ever be replaced."""
        return self.maximum is not None and self.maximum <= self.minimum


@dataclass(frozen=True)
class Census:
    """The instances of a group, counted the way that a refresh sees them."""

    desired: int
    live: int
    """In service or pending, old and new."""
    ready: int
    """In service, healthy and warmed up, old and new."""
    leaving: int
    """Terminating: out of service and not gone yet."""
    up_to_date: int
    """Live and needing no replacement."""
    kept: int
    """Live, not up to date, and not to be replaced: protected, with Ignore or Wait."""
    replaceable_ready: int
    """Ready and to be replaced."""
    replaceable_warming: int
    """Healthy, to be replaced, and still warming up."""
    replaceable_failing: int
    """To be replaced and serving nobody: pending, unhealthy, or failing its load balancer."""


@dataclass(frozen=True)
class Step:
    """What to do now."""

    terminate_failing: int
    terminate_warming: int
    terminate_ready: int
    extra: int
    """How far above the desired capacity the group is to be held for the moment."""

    @property
    def terminations(self) -> int:
        """All terminations together."""
        return self.terminate_failing + self.terminate_warming + self.terminate_ready


def next_step(census: Census, bounds: Bounds, limit: int) -> Step:
    """What a refresh may do now without breaking its bounds.

    Parameters
    ----------
    census
        The group as it is.
    bounds
        From the refresh's preferences and the desired capacity.
    limit
        How many instances may be up to date before the refresh has to pause: the next checkpoint.

    Returns
    -------
    Step
        The instances terminated here and the room above the desired capacity together never
        replace more than ``limit`` allows. With an explicit maximum, ``terminate_ready`` never
        takes the group below its minimum.
    """
    goal = min(limit, census.desired - census.kept)
    allowance = max(0, goal - census.up_to_date)
    surplus = max(0, census.live - census.desired)
    going = surplus + allowance

    # What serves nobody can go at any time: the ready instances do not become fewer.
    failing = min(census.replaceable_failing, going)
    # What is warming up serves already, so it goes only while the minimum holds without it.
    at_minimum = census.ready >= bounds.minimum
    warming = min(census.replaceable_warming, going - failing) if at_minimum else 0
    ready = min(
        census.replaceable_ready, going - failing - warming, _ready_to_spare(census, bounds)
    )

    remaining = census.live - failing - warming - ready
    replaceable = census.replaceable_failing + census.replaceable_warming + census.replaceable_ready
    # What is held above the desired capacity is there for an old instance that still serves.
    covering = min(remaining + allowance - census.desired, replaceable - failing - warming - ready)
    extra = max(0, min(covering, _room(census, bounds, remaining)))
    return Step(failing, warming, ready, extra)


def _ready_to_spare(census: Census, bounds: Bounds) -> int:
    spare = max(0, census.ready - bounds.minimum)
    if spare == 0 and bounds.maximum is None and census.live == census.ready == census.desired:
        # Without a maximum AWS terminates and launches at the same time (botocore,
        # RefreshPreferences.MaxHealthyPercentage), so one instance goes even when the minimum
        # does not allow it: a group of one is down for a while. The user guide says otherwise
        # for a minimum of 100 percent; the harsher of the two is taken.
        return 1
    return spare


def _room(census: Census, bounds: Bounds, remaining: int) -> int:
    if bounds.maximum is None:
        return 0
    headroom = bounds.maximum - census.desired
    # AWS waits for connections to drain before it goes on, so what is leaving still takes room
    # above the desired capacity (not documented whether it does; slower this way). What was
    # launched already is not given up for it.
    leaving = census.leaving + census.live - remaining
    return max(headroom - leaving, min(remaining - census.desired, headroom))
