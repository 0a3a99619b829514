"""What becomes of an event: rules, targets, retries and dead letters."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.eventbridge import Event
from embedded.world.faults import Call
from tests.embedded.events import RULE, Bus

HOUR = timedelta(hours=1)


def throttle(bus: Bus, times: int) -> None:
    left = list(range(times))

    def interfere(call: Call) -> None:
        if call.operation == "Invoke" and left:
            left.pop()
            raise AwsError("TooManyRequestsException", "Rate Exceeded.")

    bus.world.faults.before_effect(interfere)


def test_an_event_reaches_the_rules_a_second_later() -> None:
    bus = Bus()
    bus.target(bus.function())

    event_id = bus.send({"a": 1})
    bus.world.run_for(0.9)
    assert bus.received == []
    bus.world.run_for(1)

    assert bus.received[0]["id"] == event_id
    assert bus.received[0]["detail"] == {"a": 1}
    assert bus.received[0]["detail-type"] == "Something"
    assert bus.received[0]["time"] == "2026-01-05T09:00:00Z"


def test_an_event_that_no_rule_matches_goes_nowhere() -> None:
    bus = Bus(pattern={"source": ["else"]})
    bus.target(bus.function())

    bus.send()
    bus.world.run_for(10)

    assert bus.received == []
    assert bus.world.events.lost == []


def test_a_disabled_rule_does_not_act() -> None:
    bus = Bus()
    bus.target(bus.function())
    bus.events.disable_rule(Name=RULE)

    bus.send()
    bus.world.run_for(10)

    assert bus.received == []


def test_an_event_of_a_best_effort_source_can_get_lost() -> None:
    bus = Bus(pattern={"source": ["aws.ec2"]})
    bus.target(bus.function())
    bus.world.events.delivery = lambda _: ()

    bus.world.events.emit("aws.ec2", "Anything", {}, [])
    bus.world.run_for(10)

    assert bus.received == []


def test_an_event_of_a_durable_source_cannot_be_lost_by_a_policy() -> None:
    bus = Bus()
    bus.world.events.delivery = lambda _: ()

    with pytest.raises(ValueError, match="not lost"):
        bus.world.events.emit("aws.cloudwatch", "CloudWatch Alarm State Change", {}, [])


def test_an_event_can_arrive_twice_with_one_id() -> None:
    bus = Bus()
    bus.target(bus.function())

    def twice(_: Event) -> tuple[float, float]:
        return 1.0, 30.0

    bus.world.events.delivery = twice
    bus.send()
    bus.world.run_for(60)

    assert len(bus.received) == 2
    assert bus.received[0]["id"] == bus.received[1]["id"]


def test_a_function_without_permission_never_gets_the_event() -> None:
    bus = Bus()
    bus.target(bus.function(permitted=False))

    bus.send()
    bus.world.run_for(10)

    assert bus.received == []
    assert [lost.error_code for lost in bus.world.events.lost] == ["NO_PERMISSIONS"]


def test_an_event_for_a_missing_target_goes_straight_to_the_dead_letter_queue() -> None:
    # Given a rule whose function does not exist
    bus = Bus()
    letters = bus.queue()
    missing = bus.world.awslambda.arn_of("gone")
    bus.target(missing, DeadLetterConfig={"Arn": letters})

    # When an event comes
    event_id = bus.send({"a": 1})
    bus.world.run_for(10)

    # Then the queue has it, with the documented attributes
    (letter,) = bus.world.sqs.messages(letters)
    assert json.loads(letter.body)["id"] == event_id
    assert letter.text_attributes() == {
        "RULE_ARN": bus.rule_arn,
        "TARGET_ARN": missing,
        "ERROR_CODE": "NO_RESOURCE",
        "ERROR_MESSAGE": f"Function not found: {missing}",
        "RETRY_ATTEMPTS": "0",
    }


def test_a_dead_letter_queue_without_policy_loses_the_event() -> None:
    bus = Bus()
    letters = bus.queue(permitted=False)
    bus.target(bus.world.awslambda.arn_of("gone"), DeadLetterConfig={"Arn": letters})

    bus.send()
    bus.world.run_for(10)

    assert bus.world.sqs.messages(letters) == []
    assert not bus.world.events.lost[0].dead_letter


def test_a_throttled_target_is_tried_again() -> None:
    bus = Bus()
    bus.target(bus.function())
    throttle(bus, 3)

    bus.send()
    bus.world.run_until(lambda: bool(bus.received), limit=HOUR)

    assert bus.world.events.lost == []


def test_a_target_is_given_up_after_the_attempts_of_its_retry_policy() -> None:
    bus = Bus()
    letters = bus.queue()
    bus.target(
        bus.function(),
        DeadLetterConfig={"Arn": letters},
        RetryPolicy={"MaximumRetryAttempts": 2},
    )
    throttle(bus, 99)

    bus.send()
    bus.world.run_until(lambda: bool(bus.world.sqs.messages(letters)), limit=HOUR)

    attributes = bus.world.sqs.messages(letters)[0].text_attributes()
    assert attributes["ERROR_CODE"] == "THROTTLING"
    assert attributes["RETRY_ATTEMPTS"] == "2"
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"


def test_a_target_is_given_up_when_the_event_is_too_old() -> None:
    bus = Bus()
    bus.target(bus.function(), RetryPolicy={"MaximumEventAgeInSeconds": 60})
    throttle(bus, 99)

    bus.send()
    bus.world.run_until(lambda: bool(bus.world.events.lost), limit=HOUR)

    assert bus.received == []
    assert bus.world.clock.now() <= bus.world.events.seen[0].at + timedelta(seconds=62)


def test_a_queue_gets_the_event_as_text() -> None:
    bus = Bus()
    queue = bus.queue()
    bus.target(queue)

    bus.send({"a": 1})
    bus.world.run_for(5)

    assert json.loads(bus.world.sqs.messages(queue)[0].body)["detail"] == {"a": 1}


def test_a_topic_admits_a_rule_only_by_its_policy() -> None:
    bus = Bus()
    topic = bus.session.client("sns").create_topic(Name="news")["TopicArn"]
    bus.target(topic)

    bus.send()
    bus.world.run_for(5)

    assert bus.world.sns.sent == []
    assert bus.world.events.lost[0].error_code == "NO_PERMISSIONS"


def test_a_state_machine_is_started_under_a_name_that_eventbridge_picks() -> None:
    bus = Bus()
    stepfunctions = bus.session.client("stepfunctions")
    definition = {
        "Comment": "Ends at once",
        "QueryLanguage": "JSONata",
        "StartAt": "Done",
        "States": {"Done": {"Type": "Succeed"}},
    }
    machine = stepfunctions.create_state_machine(
        name="machine",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::111122223333:role/any",
    )["stateMachineArn"]
    bus.target(machine, RoleArn="arn:aws:iam::111122223333:role/any")
    bus.world.events.delivery = lambda _: (1.0, 2.0)

    bus.send({"a": 1})
    bus.world.run_for(10)

    executions = stepfunctions.list_executions(stateMachineArn=machine)["executions"]
    assert len({execution["name"] for execution in executions}) == 2


def test_a_state_machine_as_target_needs_a_role() -> None:
    bus = Bus()

    with pytest.raises(ClientError, match="RoleArn is required"):
        bus.target(bus.world.arn("states", "stateMachine:machine"))


def test_a_schedule_ticks_for_its_own_rule_only() -> None:
    bus = Bus(pattern={"source": ["aws.events"]})
    bus.target(bus.function())
    arn = bus.events.put_rule(Name="tick", ScheduleExpression="rate(10 minutes)")["RuleArn"]
    queue = bus.queue("ticks", permitted=False)
    policy = {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:*",
            "Resource": "*",
        }
    }
    url = bus.world.sqs.url_of(queue)
    bus.session.client("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": json.dumps(policy)}
    )
    bus.events.put_targets(Rule="tick", Targets=[{"Id": "q", "Arn": queue}])

    bus.world.run_for(3605)

    ticks = [json.loads(message.body) for message in bus.world.sqs.messages(queue)]
    assert len(ticks) == 6
    assert ticks[0]["resources"] == [arn]
    assert bus.received == []


def test_a_disabled_schedule_stops_ticking() -> None:
    bus = Bus()
    bus.events.put_rule(Name="tick", ScheduleExpression="rate(1 minute)")
    bus.events.disable_rule(Name="tick")

    bus.world.run_for(600)

    assert bus.world.events.seen == []
    assert bus.world.clock.next_at() is None


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"DetailType": "x", "Detail": "{}"}, "InvalidArgument"),
        ({"Source": "a", "DetailType": "x", "Detail": "[]"}, "MalformedDetail"),
        ({"Source": "a", "DetailType": "x", "Detail": "{"}, "MalformedDetail"),
        (
            {"Source": "aws.ec2", "DetailType": "x", "Detail": "{}"},
            "NotAuthorizedForSourceException",
        ),
    ],
)
def test_a_bad_entry_is_refused_by_itself(entry: Any, code: str) -> None:
    bus = Bus()
    good: Any = {"Source": "test", "DetailType": "x", "Detail": "{}"}

    reply = bus.events.put_events(Entries=[entry, good])

    assert reply["FailedEntryCount"] == 1
    assert reply["Entries"][0]["ErrorCode"] == code
    assert "EventId" in reply["Entries"][1]


def test_more_than_ten_entries_are_refused_together() -> None:
    bus = Bus()
    good: Any = {"Source": "test", "DetailType": "x", "Detail": "{}"}

    with pytest.raises(ClientError, match="less than or equal to 10"):
        bus.events.put_events(Entries=[good] * 11)


def test_another_bus_is_not_emulated() -> None:
    bus = Bus()
    entry: Any = {"Source": "a", "DetailType": "x", "Detail": "{}", "EventBusName": "mine"}

    with pytest.raises(NotEmulatedError):
        bus.events.put_events(Entries=[entry])


def test_a_rule_with_targets_cannot_be_deleted() -> None:
    bus = Bus()
    bus.target(bus.function())

    with pytest.raises(ClientError, match="has targets"):
        bus.events.delete_rule(Name=RULE)
    bus.events.remove_targets(Rule=RULE, Ids=["only"])
    bus.events.delete_rule(Name=RULE)

    assert bus.events.list_rules()["Rules"] == []


def test_a_rule_takes_five_targets_at_most() -> None:
    bus = Bus()
    arn = bus.function()
    targets: Any = [{"Id": str(number), "Arn": arn} for number in range(6)]

    with pytest.raises(bus.events.exceptions.LimitExceededException):
        bus.events.put_targets(Rule=RULE, Targets=targets)
