"""Whether a fleet is what its ledger says, and why it may not be."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from snaproll.domain.claims import adopt
from snaproll.domain.drift import (
    VersionFacts,
    Versions,
    adopted_version,
    find_drift,
    versions_to_read,
)
from snaproll.domain.group import Group, Instance
from snaproll.domain.ledger import Claim, FleetState, Trigger
from snaproll.domain.release import Release, TemplateVersion
from tests.unit import builders
from tests.unit.builders import EXECUTION, NOW

OTHER = "snap-0dddddddddddddddd"
STACK = "arn:aws:sts::111122223333:assumed-role/cloudformation/AWSCloudFormation"


def version(number: int, template: str = "lt-1") -> TemplateVersion:
    return TemplateVersion(template_id=template, version=number)


LIVE = Release(snapshot="snap-0aaaaaaaaaaaaaaa1", template=version(5))
SAME = VersionFacts(LIVE.snapshot, made_by=STACK)
DIFFERENT = VersionFacts(OTHER, made_by=STACK)


def group(saved: TemplateVersion | None, *runs: TemplateVersion | None) -> Group:
    """A group that saves a version, and whose instances run these."""
    instances = tuple(
        Instance(id=f"i-{number}", lifecycle="InService", version=one)
        for number, one in enumerate(runs)
    )
    return builders.group(instances, saved=saved)


def test_a_fleet_that_saves_and_runs_the_live_version_needs_no_look_at_the_template() -> None:
    there = group(version(5), version(5), version(5))

    assert versions_to_read(LIVE, there) == frozenset()
    assert find_drift(LIVE, there, {}) is None


@pytest.mark.parametrize(
    ("saved", "facts", "cause"),
    [
        (version(7), DIFFERENT, f"a stack update .* put {OTHER} back .made by {STACK}"),
        (version(3), DIFFERENT, "set the group back to an older version"),
        (version(9, "lt-2"), DIFFERENT, "put another launch template on the group"),
        (version(7), VersionFacts(OTHER, note="snaproll: x"), "that snaproll had made"),
        (version(7), VersionFacts(None), "put an empty data volume back"),
        (version(7), None, "deleted a version that is in use"),
    ],
    ids=["newer", "older", "another template", "ours", "empty", "deleted"],
)
def test_a_group_that_saves_other_data_drifted_for_a_reason(
    saved: TemplateVersion, facts: VersionFacts | None, cause: str
) -> None:
    versions = {saved: facts} if facts else {}

    drift = find_drift(LIVE, group(saved, version(5)), versions)

    assert drift is not None
    assert str(saved) in drift.what
    assert re.search(cause, drift.cause), drift.cause


def test_another_version_with_the_live_snapshot_is_no_drift_and_is_taken_over() -> None:
    there = group(version(7), version(7), version(5))
    versions: Versions = {version(7): SAME}

    assert find_drift(LIVE, there, versions) is None
    assert adopted_version(LIVE, there, versions) == version(7)


def test_a_group_that_names_no_number_drifted() -> None:
    there = replace(group(None, version(5)), saved_text="lt-1 version $Latest")

    drift = find_drift(LIVE, there, {})

    assert drift is not None
    assert "$Latest" in drift.what


@pytest.mark.parametrize(
    ("runs", "facts", "cause"),
    [
        (version(3), DIFFERENT, "launched before"),
        (version(7), DIFFERENT, "from a newer version"),
        (version(7), VersionFacts(OTHER, note="snaproll: x"), "a rollout that was given up"),
        (version(1, "lt-2"), DIFFERENT, "from another launch template"),
        (None, None, "attached them by hand"),
    ],
    ids=["older", "newer", "ours", "another template", "no template"],
)
def test_an_instance_with_other_data_drifted_for_a_reason(
    runs: TemplateVersion | None, facts: VersionFacts | None, cause: str
) -> None:
    versions = {runs: facts} if runs and facts else {}

    drift = find_drift(LIVE, group(version(5), version(5), runs), versions)

    assert drift is not None
    assert "1 instance (i-1)" in drift.what
    assert cause in drift.cause


@pytest.mark.parametrize("lifecycle", ["Standby", "Terminating", "Terminating:Wait", "Detaching"])
def test_instances_that_serve_nobody_do_not_drift(lifecycle: str) -> None:
    there = group(version(5), version(5), version(3))
    old = replace(there.instances[1], lifecycle=lifecycle)

    assert find_drift(LIVE, replace(there, instances=(there.instances[0], old)), {}) is None


def test_which_instances_are_concerned_does_not_make_another_drift_of_it() -> None:
    versions: Versions = {version(3): DIFFERENT}
    one = find_drift(LIVE, group(version(5), version(3)), versions)
    more = find_drift(LIVE, group(version(5), version(5), version(3), version(3)), versions)
    other = find_drift(LIVE, group(version(5), version(3)), {version(3): VersionFacts("snap-1")})

    assert one is not None
    assert more is not None
    assert other is not None
    assert one.key == more.key != other.key
    assert one.what != more.what


# -- taking a number over -------------------------------------------------------------------------


def test_a_number_is_taken_over_and_the_proven_one_is_kept() -> None:
    once = adopt(FleetState(live=LIVE), LIVE, version(7))
    assert once.live is not None

    twice = adopt(once, once.live, version(8))

    assert once.live.template == version(7)
    assert once.live.snapshot == LIVE.snapshot
    assert twice.live is not None
    assert (twice.live.template, twice.proven) == (version(8), version(5))
    assert adopt(twice, twice.live, version(5)).proven is None


def test_nothing_is_taken_over_from_under_a_rollout() -> None:
    claim = Claim(
        execution=EXECUTION, fence=1, snapshot=OTHER, trigger=Trigger.SNAPSHOT, claimed_at=NOW
    )
    busy = FleetState(live=LIVE, claim=claim)
    moved = FleetState(live=LIVE.model_copy(update={"template": version(6)}))

    assert adopt(busy, LIVE, version(7)) == busy
    assert adopt(moved, LIVE, version(7)) == moved
