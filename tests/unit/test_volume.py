"""Whether a writer's volume would give a snapshot that its followers take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from snaproll.domain.checks import Check, CheckResult
from snaproll.domain.fleet import Fleet, FleetPolicy
from snaproll.domain.publishes import PublishMode
from snaproll.domain.volume import (
    Followers,
    Search,
    Volume,
    follower_checks,
    found_one,
    selector_tags,
    volume_checks,
)
from snaproll.domain.writer import Writer, WriterPolicy
from tests.unit.builders import KEY, policy_json

VOLUME = Volume(
    id="vol-0123456789abcdef0",
    state="in-use",
    encrypted=True,
    kms_key=KEY,
    instance="i-0123456789abcdef0",
    tags={"snaproll:writer": "filings", "snaproll:environment": "prod", "Name": "data"},
)
OWN = {
    PublishMode.PUBLISH: {"snaproll:writer": "filings", "snaproll:publish-mode": "publish"},
    PublishMode.SNAPSHOT_ONLY: {"snaproll:writer": "filings"},
}


def writer(**policy: Any) -> Writer:
    """The writer filings, which the fleet sec follows."""
    given = {"volume": {"id": VOLUME.id}, "fleets": ["sec"], **policy}
    return Writer(name="filings", policy=WriterPolicy.model_validate(given))


def follower(name: str, tags: Mapping[str, str], *keys: str) -> Fleet:
    """A fleet that selects snapshots by these tags, encrypted with one of the keys if any."""
    snapshots = {"tags": tags, "kms_keys": list(keys)}
    return Fleet(name=name, policy=FleetPolicy.model_validate(policy_json(snapshots=snapshots)))


def followers(*fleets: Fleet, problems: tuple[str, ...] = ()) -> Followers:
    return Followers(fleets or (follower("sec", {"Graph": "sec"}),), problems)


def results(checks: list[Check]) -> dict[str, CheckResult]:
    return {one.name: one.result for one in checks}


def failed(checks: list[Check]) -> dict[str, str]:
    """The reasons of the checks that failed, by name."""
    return {one.name: one.reason for one in checks if one.result is CheckResult.FAILED}


# -- found ----------------------------------------------------------------------------------------


def test_the_one_volume_that_was_found_is_named_with_how_it_was() -> None:
    found = found_one(writer(), Search([VOLUME], how="its id", remedy=""))

    assert found == Check(
        name="volume-found",
        result=CheckResult.PASSED,
        reason=f"{VOLUME.id} was found by its id",
    )


def test_no_volume_is_told_with_the_remedy() -> None:
    found = found_one(writer(), Search([], how="its tags", remedy="Tag it."))

    assert found == Check(
        name="volume-found",
        result=CheckResult.FAILED,
        reason="no volume of writer filings was found by its tags. Tag it.",
    )


def test_of_two_volumes_none_is_guessed() -> None:
    other = replace(VOLUME, id="vol-0aaaaaaaaaaaaaaa0")

    found = found_one(writer(), Search([VOLUME, other], how="its tags", remedy=""))

    assert (found.name, found.result) == ("volume-found", CheckResult.FAILED)
    assert f"2 volumes were found by its tags: {VOLUME.id}, {other.id}." in found.reason
    assert f'{{"volume": {{"id": "{VOLUME.id}"}}}}' in found.reason


# -- fit ------------------------------------------------------------------------------------------


def test_a_fit_volume_passes_every_check() -> None:
    assert results(volume_checks(writer(), "prod", VOLUME)) == dict.fromkeys(
        ("opted-in", "usable", "encrypted", "attached"), CheckResult.PASSED
    )


def test_a_volume_needs_no_tags_but_the_two() -> None:
    two = {"snaproll:writer": "filings", "snaproll:environment": "prod"}

    assert failed(volume_checks(writer(), "prod", replace(VOLUME, tags=two))) == {}


def test_without_a_volume_nothing_is_checked() -> None:
    checks = volume_checks(writer(), "prod", None)

    names = ("opted-in", "usable", "encrypted", "attached")
    assert results(checks) == dict.fromkeys(names, CheckResult.NOT_CHECKED)
    assert {one.reason for one in checks} == {"there is no volume"}


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"snaproll:writer": "filings"},
        {"snaproll:environment": "prod"},
        {"snaproll:writer": "filings", "snaproll:environment": "staging"},
        {"snaproll:writer": "another", "snaproll:environment": "prod"},
    ],
)
def test_a_volume_without_both_tags_is_refused_with_the_command(tags: dict[str, str]) -> None:
    found = failed(volume_checks(writer(), "prod", replace(VOLUME, tags=tags)))

    assert set(found) == {"opted-in"}
    assert (
        f"aws ec2 create-tags --resources {VOLUME.id} --tags "
        f"Key=snaproll:writer,Value=filings Key=snaproll:environment,Value=prod"
    ) in found["opted-in"]


@pytest.mark.parametrize("state", ["creating", "deleting", "error"])
def test_a_volume_that_holds_no_data_is_refused(state: str) -> None:
    found = failed(volume_checks(writer(), "prod", replace(VOLUME, state=state)))

    assert set(found) == {"usable"}
    assert f'{VOLUME.id} is in the state "{state}"' in found["usable"]


def test_a_volume_that_is_attached_to_nothing_is_as_good() -> None:
    detached = replace(VOLUME, state="available", instance=None)

    assert failed(volume_checks(writer(), "prod", detached)) == {}


def test_an_unencrypted_volume_is_refused_with_the_way_to_an_encrypted_one() -> None:
    found = failed(volume_checks(writer(), "prod", replace(VOLUME, encrypted=False)))

    assert set(found) == {"encrypted"}
    assert f"create-snapshot --volume-id {VOLUME.id}" in found["encrypted"]


@pytest.mark.parametrize(
    ("quiesce", "instance", "refused"),
    [
        ({"document": "Quiesce"}, None, True),
        ({"document": "Quiesce"}, VOLUME.instance, False),
        ({"function": "quiesce"}, None, False),
        (None, None, False),
    ],
)
def test_only_a_quiesce_document_needs_an_instance(
    quiesce: dict[str, str] | None,
    instance: str | None,
    refused: bool,  # noqa: FBT001 - a column of the table
) -> None:
    volume = replace(VOLUME, instance=instance)

    found = failed(volume_checks(writer(quiesce=quiesce), "prod", volume))

    assert ("attached" in found) is refused
    assert not refused or "the quiesce document Quiesce needs one" in found["attached"]


# -- followers ------------------------------------------------------------------------------------


def test_a_snapshot_carries_the_tags_of_all_that_follow_and_of_nobody_else() -> None:
    fleets = (
        follower("sec", {"Graph": "sec"}),
        follower("edgar", {"Graph": "sec", "Tier": "hot"}),
        follower("other", {"Graph": "other"}),
    )

    tags, conflicts = selector_tags(
        writer(fleets=["sec", "edgar"], tags={"Team": "data"}), followers(*fleets)
    )

    assert tags == {"Team": "data", "Graph": "sec", "Tier": "hot"}
    assert conflicts == []


def test_two_followers_that_contradict_each_other_are_both_named() -> None:
    fleets = (follower("sec", {"Graph": "sec"}), follower("edgar", {"Graph": "edgar"}))

    tags, conflicts = selector_tags(writer(fleets=["sec", "edgar"]), followers(*fleets))

    assert tags == {"Graph": "sec"}
    assert len(conflicts) == 1
    assert conflicts[0].startswith(
        "fleet edgar selects Graph=edgar and the rules of fleet sec say Graph=sec: "
    )


def test_the_first_of_three_is_whom_the_others_contradict() -> None:
    fleets = [follower(name, {"Graph": name}) for name in ("sec", "edgar", "else")]

    _, conflicts = selector_tags(writer(fleets=[one.name for one in fleets]), followers(*fleets))

    assert ["the rules of fleet sec say Graph=sec" in one for one in conflicts] == [True, True]


def test_a_follower_that_contradicts_the_writers_own_tags_is_told_so() -> None:
    _, conflicts = selector_tags(writer(tags={"Graph": "mine"}), followers())

    assert len(conflicts) == 1
    assert "selects Graph=sec and the writer's own tags say Graph=mine" in conflicts[0]


def checked(
    found: Followers, volume: Volume | None = VOLUME, writing: Writer | None = None
) -> list[Check]:
    return follower_checks(writing or writer(), found, volume, OWN)


def test_followers_that_would_take_the_snapshot_pass_every_check() -> None:
    checks = checked(followers())

    assert results(checks) == dict.fromkeys(
        ("followers", "key-allowed", "kept-apart"), CheckResult.PASSED
    )
    assert checks[0].reason == "its snapshots are for sec"


def test_a_writer_may_have_no_followers_but_tags() -> None:
    checks = checked(followers(), writing=writer(fleets=[], tags={"Team": "data"}))

    assert failed(checks) == {}
    assert checks[0].reason == "its snapshots are for tags of its own"


def test_a_follower_that_is_not_configured_is_named() -> None:
    found = failed(checked(followers(), writing=writer(fleets=["sec", "edgar"])))

    assert found == {"followers": "fleet edgar is not configured"}


def test_a_follower_whose_parameter_is_wrong_is_told_by_what_is_wrong_alone() -> None:
    wrong = "the parameter of edgar is no JSON"

    found = failed(checked(followers(problems=(wrong,)), writing=writer(fleets=["sec", "edgar"])))

    assert found == {"followers": wrong}


def test_all_that_is_wrong_with_followers_is_told_at_once() -> None:
    fleets = (follower("sec", {"Graph": "sec"}), follower("edgar", {"Graph": "edgar"}))

    found = failed(checked(followers(*fleets), writing=writer(fleets=["sec", "edgar", "missing"])))

    assert found["followers"].startswith("fleet missing is not configured; fleet edgar selects")


@pytest.mark.parametrize("keys", [(), (KEY,), (KEY.replace("1111", "2222"), KEY)])
def test_a_key_that_the_followers_allow_is_fine(keys: tuple[str, ...]) -> None:
    found = followers(follower("sec", {"Graph": "sec"}, *keys))

    assert results(checked(found))["key-allowed"] is CheckResult.PASSED


def test_a_key_that_a_follower_does_not_allow_is_refused_with_its_name() -> None:
    other = KEY.replace("1111", "2222")
    fleets = [follower(name, {"Graph": "sec"}, other) for name in ("sec", "edgar")]

    one = failed(checked(followers(fleets[0])))
    both = failed(checked(followers(*fleets), writing=writer(fleets=["sec", "edgar"])))

    assert one == {"key-allowed": f"its key {KEY} is none of the kms_keys of fleet sec"}
    assert both["key-allowed"].endswith("the kms_keys of fleets sec, edgar")


@pytest.mark.parametrize("volume", [None, replace(VOLUME, encrypted=False, kms_key=None)])
def test_the_key_of_what_is_not_encrypted_is_not_checked(volume: Volume | None) -> None:
    found = next(one for one in checked(followers(), volume) if one.name == "key-allowed")

    assert found.result is CheckResult.NOT_CHECKED
    assert found.reason == "there is no encrypted volume"


def test_a_fleet_that_would_take_what_is_not_published_is_refused() -> None:
    greedy = follower("greedy", {"snaproll:writer": "filings"})

    found = failed(checked(followers(greedy), writing=writer(fleets=["greedy"])))

    assert set(found) == {"kept-apart"}
    assert found["kept-apart"].startswith("fleet greedy would take even a snapshot")
