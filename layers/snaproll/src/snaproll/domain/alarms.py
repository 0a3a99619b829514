"""A fleet's alarms: which must be fine before a refresh, which guard it, and what no data means.

An alarm without data says nothing. Auto Scaling starts no refresh under one, and pauses the refresh
when one of its alarms comes to lack data, for as long as that lasts (user guide, "Undo changes with
a rollback"). The fleet's policy says what snaproll makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from snaproll.domain.assessment import Assessment, Memory, Verdict, conclude
from snaproll.domain.checks import Check, check
from snaproll.domain.duration import format_duration
from snaproll.domain.fleet import Fleet, HealthPolicy
from snaproll.domain.look import Look
from snaproll.domain.pace import wait_on

OK = "OK"
NO_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm; ``loses_data`` tells whether a metric that falls silent leaves it without a state.

    It does so when the alarm treats missing data as missing, which is the default. One that treats
    it as good or bad, or keeps its state, never lacks data again; a composite alarm has none of its
    own (CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data").
    """

    state: str
    loses_data: bool


def alarm_checks(fleet: Fleet, alarms: Mapping[str, str], *, by_hand: bool) -> list[Check]:
    """Judge the alarms before a refresh; ``alarms`` maps each that exists to its state."""
    wanted = fleet.policy.health.alarms
    missing = ", ".join(name for name in wanted if name not in alarms)
    not_ok = ", ".join(
        f"{name} is {alarms[name]}"
        for name in wanted
        if name in alarms and alarms[name] not in (OK, NO_DATA)
    )
    return [
        check(
            "alarms-exist",
            fine=not missing,
            good="every alarm of the fleet exists",
            bad=f"these alarms of the fleet do not exist: {missing}",
        ),
        check(
            "alarms-ok",
            fine=not not_ok or by_hand,
            good=_left_out(not_ok) if not_ok else "no alarm of the fleet is in ALARM",
            bad=f"{not_ok}; Auto Scaling starts no refresh under such an alarm",
        ),
        _data_check(fleet.policy.health, alarms, by_hand=by_hand),
    ]


def _left_out(names: str) -> str:
    return f"left out, because a person asked for this rollout: {names}"


def _data_check(health: HealthPolicy, alarms: Mapping[str, str], *, by_hand: bool) -> Check:
    silent = ", ".join(name for name in health.alarms if alarms.get(name) == NO_DATA)
    if not silent:
        good = "every alarm of the fleet has data"
    elif by_hand:
        good = _left_out(silent)
    else:
        good = f"without data, which the fleet's policy ignores: {silent}"
    return check(
        "alarms-have-data",
        fine=not silent or by_hand or health.no_data == "ignore",
        good=good,
        bad=(
            f"{silent} is {NO_DATA}, and Auto Scaling starts no refresh under such an alarm; look "
            f"whether its metric exists, and if it is silent without traffic, let the alarm treat "
            f'missing data as notBreaching or the fleet\'s policy say "no_data": "ignore"'
        ),
    )


def guards(health: HealthPolicy, alarms: Mapping[str, Alarm], *, by_hand: bool) -> list[str]:
    """The alarms that Auto Scaling is to watch as well, by itself.

    Those that are not OK would keep it from starting: a repair by hand goes on without them. Where
    no data is to be ignored, those that may come to lack data are left to snaproll alone: Auto
    Scaling would pause the refresh.
    """
    ignored = health.no_data == "ignore"
    if not ignored and not by_hand:
        return health.alarms
    fine = [name for name in health.alarms if name in alarms and alarms[name].state == OK]
    return [name for name in fine if not (ignored and alarms[name].loses_data)]


def judge_by_data(look: Look, memory: Memory) -> Assessment | None:
    """Act on alarms without data as the fleet's policy says; that is no evidence against data."""
    health, since = look.policy.health, memory.no_data_since
    if since is None or health.no_data == "ignore":
        return None
    names = ", ".join(look.silent)
    lasted = look.now - since
    if lasted >= (timedelta(0) if health.no_data == "bad" else health.no_data_limit):
        reason = (
            f"the alarm {names} has had no data for {format_duration(lasted)}, and the fleet's "
            f'policy is "no_data": "{health.no_data}"'
        )
        return conclude(Verdict.ROLL_BACK, reason, memory)
    if look.over:
        return wait_on(look, memory, f"{look.summary()}; the alarm {names} has no data")
    return None
