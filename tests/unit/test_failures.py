"""Launches that failed are told by their activities' own words, and condemn nobody."""

from __future__ import annotations

import pytest

from snaproll.domain.failures import FailedLaunch, FailureKind, classify, told

LAST = " Launching EC2 instance failed."
NO_ROOM = "We currently do not have sufficient r7g.large capacity in the Availability Zone you"
NO_VCPU = "You have requested more vCPU capacity than your current vCPU limit of 32 allows for"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (NO_ROOM + " requested (us-east-1a)." + LAST, FailureKind.CAPACITY),
        ("There is no Spot capacity available that matches your request." + LAST, "capacity"),
        (NO_VCPU + " the instance bucket." + LAST, FailureKind.QUOTA),
        ("12 instance(s) are already running." + LAST, FailureKind.QUOTA),
        ("There are not enough free addresses in subnet 'subnet-1' to satisfy" + LAST, "addresses"),
        ("Request limit exceeded." + LAST, FailureKind.THROTTLING),
        ("Client.InternalError: Client error on launch", FailureKind.KEY),
        ("The snapshot 'snap-0123456789abcdef0' does not exist." + LAST, FailureKind.SNAPSHOT),
        ("The security group 'sg-1' does not exist." + LAST, FailureKind.TEMPLATE),
        ("The requested configuration is currently not supported." + LAST, FailureKind.TEMPLATE),
        ("The image id '[ami-1]' does not exist" + LAST, FailureKind.TEMPLATE),
        ("Something that nobody has met yet.", FailureKind.UNKNOWN),
        ("", FailureKind.UNKNOWN),
    ],
)
def test_an_activitys_message_says_what_the_launch_failed_for(message: str, kind: str) -> None:
    assert classify(message) == kind


def test_what_came_most_often_speaks_in_its_newest_words_with_a_remedy() -> None:
    failed = [
        FailedLaunch("Request limit exceeded."),
        FailedLaunch(NO_ROOM + " first"),
        FailedLaunch(NO_ROOM + " second"),
    ]

    assert told(failed) == (
        f"2 of 3 failed attempts to launch an instance: capacity "
        f'("{NO_ROOM} first"; more zones or instance types in the group help)'
    )


def test_words_that_are_not_known_are_quoted_as_they_are() -> None:
    assert told([FailedLaunch("No such thing.")]) == (
        "1 of 1 failed attempt to launch an instance: unknown "
        '("No such thing"; look at the group\'s activities)'
    )


def test_of_two_kinds_that_came_as_often_the_newest_speaks() -> None:
    found = told([FailedLaunch("Request limit exceeded."), FailedLaunch(NO_ROOM)])

    assert found.startswith("1 of 2 failed attempts to launch an instance: throttling ")


def test_a_message_that_ends_in_more_than_a_full_stop_is_quoted_without_it() -> None:
    assert '("No such zone XX"; ' in told([FailedLaunch("No such zone XX. .")])


def test_without_failed_launches_there_is_nothing_to_tell() -> None:
    assert told([]) == ""
