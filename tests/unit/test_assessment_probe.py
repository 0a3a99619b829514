"""What a probe's answers mean for a release that is being rolled out, and when it is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from snaproll.domain.assessment import Memory, Verdict
from snaproll.domain.back import assess_back
from snaproll.domain.forward import assess_forward
from snaproll.domain.group import RefreshStatus
from snaproll.domain.look import Look
from snaproll.domain.probe import Probing
from snaproll.domain.probe_contract import Moment, Occasion
from tests.unit.builders import FAILING, NEW, NOW, OLD, STARTING, look, members

old, new = members(4, OLD), members(4, NEW, "i-new")
PROBE = {"function": "snaproll-probe-sec", "timeout": "30s", "tries": 2}
QUARTER = Moment(occasion=Occasion.CHECKPOINT, percentage=25)
END = Moment(occasion=Occasion.END_OF_BAKE, percentage=100)


def at_checkpoint(**seen: Any) -> Look:
    """A look into the pause after the first quarter."""
    return probed(look(old[1:], new[:1], percentage=25, **seen))


def probed(seen: Look) -> Look:
    health = {"alarms": ["replicas-prod-5xx"], "probe": PROBE}
    refresh = {"checkpoints": [25, 100], "checkpoint_wait": "10m", "bake": "30m"}
    policy = look(sections={"health": health, "refresh": refresh}).policy
    return replace(seen, policy=policy)


def unsure(tries: int, again_at: datetime | None, moment: Moment = QUARTER) -> Memory:
    return Memory(probing=Probing(asked=moment, tries=tries, again_at=again_at, said="no rows"))


def test_a_checkpoint_that_is_reached_is_asked_about() -> None:
    found = assess_forward(at_checkpoint(), Memory())

    assert found.verdict is Verdict.PROBE
    assert (found.moment, found.attempt) == (QUARTER, 1)


def test_a_fleet_without_a_probe_is_never_asked_about() -> None:
    found = assess_forward(look(old[1:], new[:1], percentage=25), Memory())

    assert (found.verdict, found.moment) == (Verdict.WAIT, None)


def test_a_checkpoint_that_was_passed_is_not_asked_about_again() -> None:
    found = assess_forward(at_checkpoint(), Memory(probing=Probing(passed=25)))

    assert found.verdict is Verdict.WAIT


def test_nobody_is_asked_while_no_new_instance_serves() -> None:
    found = assess_forward(at_checkpoint(health={new[0].id: STARTING}), Memory())

    assert found.verdict is Verdict.WAIT


def test_what_is_bad_already_is_not_asked_about() -> None:
    found = assess_forward(at_checkpoint(alarms={"replicas-prod-5xx": "ALARM"}), Memory())

    assert (found.verdict, found.moment) == (Verdict.ROLL_BACK, None)


def test_a_fail_is_evidence_against_the_data() -> None:
    memory = Memory(probing=Probing(failed=True, asked=QUARTER, said="rows are missing"))

    found = assess_forward(at_checkpoint(), memory)

    assert (found.verdict, found.against_data) == (Verdict.ROLL_BACK, True)
    assert found.reason == (
        "the probe snaproll-probe-sec failed it at the checkpoint of 25 %: rows are missing"
    )


def test_a_fail_is_evidence_even_when_aws_rolls_back_for_a_reason_of_its_own() -> None:
    memory = Memory(probing=Probing(failed=True, asked=QUARTER, said="rows are missing"))

    found = assess_forward(at_checkpoint(status=RefreshStatus.ROLLBACK_IN_PROGRESS), memory)

    assert (found.verdict, found.against_data) == (Verdict.ROLL_BACK, True)


def test_after_an_inconclusive_answer_a_pause_is_slept_through() -> None:
    again_at = NOW + timedelta(seconds=30)

    found = assess_forward(at_checkpoint(), unsure(1, again_at))

    assert (found.verdict, found.wait_seconds) == (Verdict.WAIT, 30)
    assert "the probe could not tell at the checkpoint of 25 %: no rows" in found.reason


def test_the_pause_is_as_long_in_a_rollout_of_many_days() -> None:
    again_at = NOW + timedelta(seconds=30)

    found = assess_forward(at_checkpoint(started=NOW - timedelta(days=10)), unsure(1, again_at))

    assert found.wait_seconds == 30


def test_after_the_pause_it_is_asked_again() -> None:
    found = assess_forward(at_checkpoint(), unsure(1, NOW))

    assert (found.verdict, found.attempt) == (Verdict.PROBE, 2)


def test_when_the_tries_are_used_up_the_fleet_goes_back_without_evidence() -> None:
    found = assess_forward(at_checkpoint(), unsure(2, NOW + timedelta(minutes=1)))

    assert (found.verdict, found.against_data) == (Verdict.ROLL_BACK, False)
    assert found.reason == (
        "the probe snaproll-probe-sec could not tell at the checkpoint of 25 %, asked 2 times; "
        "the last time: no rows"
    )


def test_the_end_of_the_bake_is_asked_about_inside_aws_own_bake() -> None:
    baking = probed(look(new=new, status=RefreshStatus.BAKING))
    memory = Memory(baking_since=NOW - timedelta(minutes=30), probing=Probing(passed=100))

    found = assess_forward(baking, memory)

    assert (found.verdict, found.moment) == (Verdict.PROBE, END)


def test_the_first_instances_of_a_staged_release_are_asked_about_once_they_have_baked() -> None:
    first = probed(look(new=new, status=None, without_refresh=True))
    fresh = Memory(served_since=NOW - timedelta(minutes=29), serving=[one.id for one in new])
    baked = fresh.model_copy(update={"served_since": NOW - timedelta(minutes=30)})

    assert assess_forward(first, fresh).verdict is Verdict.WAIT
    found = assess_forward(first, baked)
    assert (found.verdict, found.moment) == (Verdict.PROBE, END)


def test_nothing_is_promoted_that_the_probe_has_not_passed_at_the_end() -> None:
    ended = probed(look(new=new, status=RefreshStatus.SUCCESSFUL))

    asked = assess_forward(ended, Memory(probing=Probing(passed=100)))
    passed = assess_forward(
        ended, Memory(probing=Probing(passed=100, passed_bake=True, said="42 rows"))
    )

    assert (asked.verdict, asked.moment) == (Verdict.PROBE, END)
    assert passed.verdict is Verdict.PROMOTE
    assert passed.reason.endswith(", and the probe snaproll-probe-sec passed it: 42 rows")


def test_at_the_end_health_comes_before_the_question() -> None:
    ended = probed(look(new=new, status=RefreshStatus.SUCCESSFUL, health={new[0].id: FAILING}))

    assert assess_forward(ended, Memory()).verdict is Verdict.WAIT


def test_a_rollback_asks_nobody() -> None:
    back = probed(look(old, status=RefreshStatus.ROLLBACK_SUCCESSFUL, wanted=OLD))

    found = assess_back(back, Memory())

    assert (found.verdict, found.moment) == (Verdict.ROLLED_BACK, None)
