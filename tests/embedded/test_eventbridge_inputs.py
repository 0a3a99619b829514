"""What a target is given of an event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded.world.errors import AwsError
from embedded.world.eventbridge.inputs import UndeliverableInputError, input_of

EVENT = {
    "id": "1",
    "time": "2026-01-05T09:00:00Z",
    "source": "aws.ec2",
    "resources": ["first", "second"],
    "detail": {"instance": "i-1", "count": 3, "text": 'say "hi"', "tags": {"a": "b"}},
}
RULE = {"name": "r", "arn": "arn:aws:events:us-east-1:1:rule/r"}


def made(**settings: Any) -> str:
    return input_of({"Id": "t", "Arn": "arn", **settings})(EVENT, RULE)


def transformed(template: str, **paths: str) -> Any:
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    return json.loads(made(InputTransformer=transformer))


def test_without_settings_the_whole_event_is_given() -> None:
    assert json.loads(made()) == EVENT


def test_a_constant_input_takes_the_events_place() -> None:
    assert json.loads(made(Input='{"a": 1}')) == {"a": 1}


def test_an_input_path_gives_a_part() -> None:
    assert json.loads(made(InputPath="$.detail.tags")) == {"a": "b"}


def test_an_unquoted_variable_becomes_json() -> None:
    result = transformed(
        '{"i": <i>, "n": <n>, "all": <tags>}',
        i="$.detail.instance",
        n="$.detail.count",
        tags="$.detail.tags",
    )

    assert result == {"i": "i-1", "n": 3, "all": {"a": "b"}}


def test_a_quoted_variable_becomes_a_part_of_the_text() -> None:
    result = transformed('{"s": "<i> has <n>"}', i="$.detail.instance", n="$.detail.count")

    assert result == {"s": "i-1 has 3"}


def test_quotes_in_a_quoted_value_do_not_break_the_text() -> None:
    assert transformed('{"s": "<t>"}', t="$.detail.text") == {"s": 'say "hi"'}


def test_a_template_can_be_one_quoted_text() -> None:
    assert transformed('"instance <i>"', i="$.detail.instance") == "instance i-1"


def test_array_indices_are_followed() -> None:
    assert transformed('{"r": <r>}', r="$.resources[1]") == {"r": "second"}


def test_the_predefined_variables_are_there() -> None:
    result = transformed(
        '{"rule": <aws.events.rule-name>, "event": <aws.events.event.json>,'
        ' "short": <aws.events.event>}'
    )

    assert result["rule"] == "r"
    assert result["event"] == EVENT
    assert "detail" not in result["short"]


def test_an_object_inside_quotes_is_not_escaped_and_makes_no_json() -> None:
    with pytest.raises(UndeliverableInputError):
        transformed('{"s": "<tags>"}', tags="$.detail.tags")


def test_a_value_that_is_missing_leaves_an_input_that_is_no_json() -> None:
    with pytest.raises(UndeliverableInputError):
        transformed('{"s": <gone>}', gone="$.detail.gone")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"Input": "{}", "InputPath": "$.detail"}, "Only one of"),
        ({"Input": "{"}, "JSON syntax"),
        ({"InputPath": "detail"}, "JSONPath"),
        ({"InputPath": "$.detail[*]"}, "does not model"),
        ({"InputTransformer": {"InputTemplate": '{"a": <b>}'}}, "placeholder b"),
        ({"InputTransformer": {"InputTemplate": "plain text"}}, "InputTemplate"),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"aws.events.event": "$.x"},
                    "InputTemplate": '"x"',
                }
            },
            "reserved",
        ),
    ],
)
def test_an_input_that_eventbridge_would_not_take_is_refused(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AwsError, match=reason):
        made(**settings)
