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


def test_who_made_a_version_is_told_only_when_it_is_known() -> None:
    def cause(facts: VersionFacts) -> str:
        drift = find_drift(LIVE, group(version(7), version(5)), {version(7): facts})
        assert drift is not None
        return drift.cause

    put_back = f"a stack update or somebody's update of the group put {OTHER} back"
    assert cause(VersionFacts(OTHER)) == put_back
    assert cause(DIFFERENT) == f"{put_back} (made by {STACK})"


NEWER = "somebody launched them from a newer version, or refreshed the group"


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (None, NEWER),
        (VersionFacts(OTHER), NEWER),
        (DIFFERENT, f"{NEWER} (made by {STACK})"),
    ],
)
def test_who_made_what_an_instance_runs_is_told_only_when_it_is_known(
    facts: VersionFacts | None, cause: str
) -> None:
    versions = {version(7): facts} if facts else {}

    drift = find_drift(LIVE, group(version(5), version(7)), versions)

    assert drift is not None
    assert drift.cause == cause


def test_what_versions_bring_is_told_and_that_one_was_deleted() -> None:
    brings = find_drift(LIVE, group(version(5), version(3)), {version(3): DIFFERENT})
    deleted = find_drift(LIVE, group(version(5), version(3)), {})
    none = find_drift(LIVE, group(version(5), None), {})

    assert brings is not None
    assert deleted is not None
    assert none is not None
    assert brings.what == f"1 instance (i-0) of {version(3)} with {OTHER}"
    assert deleted.what == f"1 instance (i-0) of {version(3)}, which was deleted"
    assert none.what == "1 instance (i-0) of no launch template"
    assert none.key == "instances of no launch template"


def test_every_difference_is_told_in_the_order_of_the_versions() -> None:
    # Given a group that saves another version, and instances of many
    there = group(version(9), version(7), version(3), None, version(6), version(5))
    versions: Versions = {
        version(9): DIFFERENT,
        version(3): DIFFERENT,
        version(6): SAME,
        version(7): DIFFERENT,
    }

    drift = find_drift(LIVE, there, versions)

    assert drift is not None
    saved, *instances = drift.what.split("; ")
    assert saved.startswith("the group replicas-prod-asg saves ")
    assert [one.partition(" of ")[0] for one in instances] == [
        "1 instance (i-2)",
        "1 instance (i-1)",
        "1 instance (i-0)",
    ]
    assert drift.key.count("; ") == 3
    assert drift.cause.startswith("a stack update or somebody's update of the group")


def test_instances_of_no_version_are_told_before_those_of_the_first() -> None:
    drift = find_drift(LIVE, group(version(5), version(1), None), {version(1): DIFFERENT})

    assert drift is not None
    assert drift.key.startswith("instances of no launch template; ")


def test_the_versions_that_are_saved_and_that_instances_run_are_read() -> None:
    there = group(version(7), version(5), version(3), None)

    assert versions_to_read(LIVE, there) == {version(7), version(3)}
    assert versions_to_read(LIVE, group(None, version(3))) == {version(3)}


@pytest.mark.parametrize(
    ("saved", "versions"),
    [
        (None, {}),
        (version(5), {version(5): SAME}),
        (version(7), {}),
        (version(7), {version(7): DIFFERENT}),
    ],
    ids=["no number", "the live one", "a deleted one", "other data"],
)
def test_no_other_version_is_taken_over(saved: TemplateVersion | None, versions: Versions) -> None:
    assert adopted_version(LIVE, group(saved, version(5)), versions) is None


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
    assert drift.cause == "a stack update or somebody's update of the group"


@pytest.mark.parametrize(
    ("runs", "facts", "cause"),
    [
        (version(3), DIFFERENT, "launched before"),
        (version(7), DIFFERENT, "from a newer version"),
        (version(7), VersionFacts(OTHER, note="snaproll: x"), "a rollout that was given up"),
        (version(1, "lt-2"), DIFFERENT, "from another launch template"),
        (version(1, "lt-2"), VersionFacts(OTHER, note="snaproll: x"), "a rollout that was given"),
        (version(3), VersionFacts(OTHER, note="snaproll: x"), "launched before"),
        (None, None, "attached them by hand"),
    ],
    ids=[
        "older",
        "newer",
        "ours",
        "another template",
        "ours of another",
        "ours and older",
        "no template",
    ],
)
def test_an_instance_with_other_data_drifted_for_a_reason(
    runs: TemplateVersion | None, facts: VersionFacts | None, cause: str
) -> None:
    versions = {runs: facts} if runs and facts else {}

    drift = find_drift(LIVE, group(version(5), version(5), runs), versions)

    assert drift is not None
    assert "1 instance (i-1)" in drift.what
    assert cause in drift.cause


@pytest.mark.parametrize(
    "lifecycle", ["Standby", "EnteringStandby", "Terminating", "Terminating:Wait", "Detaching"]
)
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
