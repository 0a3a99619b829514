"""Event patterns, by the rules of the EventBridge user guide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded.world.errors import AwsError
from embedded.world.eventbridge.patterns import EventPattern

EVENT = {
    "source": "aws.ec2",
    "detail-type": "EBS Snapshot Notification",
    "resources": ["arn:aws:ec2::us-east-1:snapshot/snap-1", "arn:other"],
    "detail": {
        "event": "createSnapshot",
        "result": "succeeded",
        "cause": "",
        "count": 3,
        "flag": True,
        "nothing": None,
        "address": "10.1.2.3",
        "empty": [],
        "inner": {"deep": "x"},
        "snapshots": [
            {"id": "snap-1", "status": "completed"},
            {"id": "snap-2", "status": "error"},
        ],
    },
}


def matches(pattern: dict[str, Any]) -> bool:
    return EventPattern(json.dumps(pattern)).matches(EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.ec2"]},
        {"source": ["other", "aws.ec2"], "detail": {"result": ["succeeded"]}},
        {"resources": ["arn:other"]},
        {"detail": {"count": [3]}},
        {"detail": {"flag": [True]}},
        {"detail": {"nothing": [None]}},
        {"detail": {"cause": [""]}},
        {"source": [{"prefix": "aws."}]},
        {"source": [{"prefix": {"equals-ignore-case": "AWS."}}]},
        {"source": [{"suffix": "ec2"}]},
        {"source": [{"equals-ignore-case": "AWS.EC2"}]},
        {"source": [{"wildcard": "a*.*2"}]},
        {"source": [{"anything-but": ["aws.s3", "aws.sqs"]}]},
        {"source": [{"anything-but": {"prefix": "x"}}]},
        {"detail": {"count": [{"numeric": [">", 0, "<=", 3]}]}},
        {"detail": {"address": [{"cidr": "10.1.0.0/16"}]}},
        {"detail": {"result": [{"exists": True}], "absent": [{"exists": False}]}},
        {"detail": {"inner": [{"exists": False}]}},
        {"detail": {"empty": [{"exists": False}]}},
        {"detail": {"nowhere": {"at": {"all": [{"exists": False}]}}}},
        {"$or": [{"source": ["x"]}, {"detail": {"count": [3]}}]},
        {"detail": {"snapshots": {"id": ["snap-2"]}}},
        {"detail": {"snapshots": {"id": ["snap-1"], "status": ["completed"]}}},
    ],
)
def test_a_pattern_matches_what_the_guide_says_it_does(pattern: dict[str, Any]) -> None:
    assert matches(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws"]},
        {"source": ["AWS.EC2"]},
        {"source": ["aws.ec2"], "detail": {"result": ["failed"]}},
        {"detail": {"count": ["3"]}},
        {"detail": {"count": [True]}},
        {"detail": {"flag": [1]}},
        {"detail": {"absent": [None]}},
        {"detail": {"absent": [{"anything-but": "x"}]}},
        {"detail": {"count": [{"prefix": "3"}]}},
        {"detail": {"count": [{"numeric": ["<", 3]}]}},
        {"detail": {"address": [{"cidr": "10.2.0.0/16"}]}},
        {"detail": {"absent": [{"exists": True}]}},
        {"detail": {"inner": [{"exists": True}]}},
        {"detail": {"result": {"deeper": ["x"]}}},
        {"source": [{"wildcard": "aws.*x"}]},
        {"source": [{"anything-but": {"prefix": ["x", "aws"]}}]},
        {"$or": [{"source": ["x"]}, {"source": ["y"]}]},
        {"detail": {"snapshots": {"id": ["snap-1"], "status": ["error"]}}},
    ],
)
def test_a_pattern_does_not_match_anything_else(pattern: dict[str, Any]) -> None:
    assert not matches(pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "not an object"),
        ("{}", "Empty objects"),
        ('{"source": "aws.ec2"}', "must be an object or an array"),
        ('{"source": []}', "Empty arrays"),
        ('{"source": [["aws.ec2"]]}', "may not hold an array"),
        ('{"source": [{"starts-with": "aws"}]}', "Unrecognized match type starts-with"),
        ('{"source": [{"prefix": "a", "suffix": "b"}]}', "Only one key"),
        ('{"source": [{"prefix": 3}]}', "must be a string"),
        ('{"source": [{"wildcard": "a**"}]}', "Consecutive wildcard"),
        ('{"source": [{"numeric": ["~", 3]}]}', "operator: ~"),
        ('{"source": [{"numeric": [">"]}]}', "pairs"),
        ('{"source": [{"numeric": [">", 6e9]}]}', "between"),
        ('{"source": [{"exists": "yes"}]}', "true or false"),
        ('{"source": [{"cidr": "10.0.0.0/64"}]}', "CIDR"),
        ('{"source": [{"anything-but": {"numeric": [">", 1]}}]}', "anything-but"),
        ('{"source": [{"anything-but": []}]}', "anything-but"),
        ('{"$or": [{"source": ["a"]}]}', "two patterns"),
        ('{"source": ["' + "x" * 4096 + '"]}', "longer than"),
    ],
)
def test_a_pattern_that_eventbridge_would_not_take_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(AwsError, match=reason) as caught:
        EventPattern(pattern)

    assert caught.value.code == "InvalidEventPatternException"
