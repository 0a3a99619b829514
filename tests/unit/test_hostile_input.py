"""Whatever is sent, written or answered: a valid value, or an error that says what is wrong."""

from __future__ import annotations

import importlib
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import snaproll
from snaproll.aws.fleets import FleetParameter, Fleets, Unreadable
from snaproll.aws.hooks import Hooks, HookState
from snaproll.aws.items import parsed
from snaproll.contracts.events import ExecutionEvent, ParameterEvent, ScheduleEvent, SnapshotEvent
from snaproll.contracts.publish.events import PublishEvent, RecoverEvent, SnapshotEnded
from snaproll.contracts.publish.requests import PublishRequest
from snaproll.contracts.requests import OperatorRequest, RolloutRequest
from snaproll.contracts.signals import SignalEvent
from snaproll.domain.fleet import Fleet
from snaproll.domain.handover import Handover
from snaproll.domain.ledger import FleetState, Quarantine, Record
from snaproll.domain.probe import FIRST_BACK_OFF, LONGEST_BACK_OFF, Probing, back_off, hear
from snaproll.domain.probe_contract import Heard, Moment, Occasion, understand
from snaproll.domain.publishes import PublishRecord, WriterState
from snaproll.domain.watch import Watch
from snaproll.domain.writer import WriterPolicy
from snaproll.errors import LedgerUnreadableError
from snaproll.explain import explain
from tests.hostile import JSON, JUNK, TEXTS, hostile, spoiled, tried
from tests.integration.events import MULTI_VOLUME, NOTIFICATION, detail, envelope, set_detail
from tests.unit.builders import ACCOUNT, ENVIRONMENT, EXECUTION, NOW, SNAPSHOT, fleet, policy_json
from tests.upgrade import captured

LONGEST_MESSAGE = 20_000
"""Characters of an error; a cause in Step Functions may have 32,768."""


def said(text: str) -> str:
    """A message for people: it can be written, it is no book, and it names a place."""
    text.encode()
    assert 0 < len(text) <= LONGEST_MESSAGE
    return text


def event(source: str, detail_type: str, content: dict[str, Any]) -> dict[str, Any]:
    return {**envelope(ACCOUNT, detail_type, content), "source": source}


EVENTS: dict[type[BaseModel], list[dict[str, Any]]] = {
    SnapshotEvent: [
        envelope(ACCOUNT, NOTIFICATION, detail(SNAPSHOT)),
        envelope(ACCOUNT, MULTI_VOLUME, set_detail((SNAPSHOT, "completed"))),
    ],
    ParameterEvent: [
        event("aws.ssm", "Parameter Store Change", {"name": "/snaproll/prod/fleets/sec-prod"})
    ],
    SignalEvent: [
        event("aws.autoscaling", "EC2 Instance Launch Successful", {"AutoScalingGroupName": "g"}),
        event("aws.cloudwatch", "CloudWatch Alarm State Change", {"alarmName": "a"}),
    ],
    ExecutionEvent: [
        event("aws.states", "Execution Status Change", {"executionArn": EXECUTION, "status": "X"})
    ],
    ScheduleEvent: [event("aws.events", "Scheduled Event", {})],
    PublishEvent: [
        event(
            "snaproll.writer",
            "Data Materialized",
            {"environment": ENVIRONMENT, "writer": "sec", "data_time": NOW.isoformat()},
        ),
        event("aws.events", "Scheduled Event", {}),
    ],
    SnapshotEnded: [envelope(ACCOUNT, NOTIFICATION, detail(SNAPSHOT))],
    RecoverEvent: [
        event("aws.states", "Execution Status Change", {"executionArn": EXECUTION, "name": "n"})
    ],
    RolloutRequest: [{"fleet": "sec-prod", "snapshot": SNAPSHOT, "reason": "r", "takes_over": 3}],
    OperatorRequest: [{"fleet": "sec-prod", "by": "me", "hold": "r", "until": NOW.isoformat()}],
    PublishRequest: [{"writer": "sec", "data_time": NOW.isoformat(), "reason": "r"}],
}
"""What is read from outside, with real examples of each."""


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.__name__)
def test_an_event_or_a_request_is_read_or_refused_in_words(model: type[BaseModel]) -> None:
    @tried(40)
    @given(hostile(*EVENTS[model]))
    def read(sent: Any) -> None:
        try:
            value = model.model_validate(sent)
        except ValidationError as error:
            said(explain("The input", error))
        else:
            # And it can be told of, but for what is only compared with what is known.
            if model is not SignalEvent:
                json.dumps(value.model_dump(mode="json"), ensure_ascii=False).encode()

    read()


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.__name__)
def test_the_real_example_is_read(model: type[BaseModel]) -> None:
    for example in EVENTS[model]:
        model.model_validate(example)


# -- parameters -----------------------------------------------------------------------------------


class NoParameters:
    """Parameter Store, which nothing here asks."""


NOBODY: Any = NoParameters()
FLEETS = Fleets(NOBODY, ENVIRONMENT)
FULL_POLICY = policy_json(
    refresh={"preset": "cautious", "warmup": "1m", "checkpoints": [10, 100], "bake": "1h"},
    health={"alarms": ["a"], "probe": {"function": "snaproll-probe-prod-x", "timeout": "1m"}},
)


@tried(150)
@given(hostile(FULL_POLICY).map(json.dumps) | st.text() | st.sampled_from(TEXTS))
def test_a_fleet_parameter_is_a_fleet_or_told_with_its_name(value: str) -> None:
    found = FLEETS.parse(FleetParameter("sec-prod", value, 0))

    if isinstance(found, Unreadable):
        assert f"/snaproll/{ENVIRONMENT}/fleets/sec-prod" in said(found.problem)
    else:
        assert Fleet.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    "value",
    ['{"a": ' + "[" * 5000 + "]" * 5000 + "}", "1" * 5000, '{"on_drift": ' + "9" * 5000 + "}"],
)
def test_a_parameter_that_cannot_even_be_shown_is_told_of(value: str) -> None:
    found = FLEETS.parse(FleetParameter("sec-prod", value, 0))

    assert isinstance(found, Unreadable)
    said(found.problem)


@tried(30)
@given(st.text() | st.sampled_from(TEXTS))
def test_a_parameters_name_is_a_fleets_or_told(name: str) -> None:
    found = FLEETS.parse(FleetParameter(name, json.dumps(FULL_POLICY), 0))

    assert isinstance(found, Fleet) or found.problem


@tried(60)
@given(hostile({"volume": {"id": "vol-0123456789abcdef0"}, "complete_within": "1h"}))
def test_a_writer_parameter_is_read_or_refused_in_words(value: Any) -> None:
    try:
        WriterPolicy.model_validate_json(json.dumps(value))
    except ValidationError as error:
        said(explain("The parameter", error))


# -- what a team's own functions answer ------------------------------------------------------------

MOMENT = Moment(occasion=Occasion.CHECKPOINT, percentage=50)
ANSWER = {"answer": {"version": 1, "verdict": "pass", "reason": "fine", "details": {"a": 1}}}


@tried(100)
@given(
    hostile(ANSWER).map(lambda it: json.dumps(it)[:10_001]) | st.text() | st.none(),
    st.sampled_from(TEXTS) | st.text(),
)
def test_whatever_a_probe_answers_is_a_verdict_with_a_reason(
    answer: str | None, cause: str
) -> None:
    heard = Heard(moment=MOMENT, answer=answer, error="E", cause=cause)

    found = understand(heard, "snaproll-probe-prod-x")

    assert found.reason
    probe = fleet(health=FULL_POLICY["health"]).policy.health.probe
    assert probe is not None
    Probing.model_validate_json(hear(Probing(), heard, probe, NOW).model_dump_json())


@tried(100)
@given(
    hostile({"state": "done"}).map(lambda it: json.dumps(it).encode()) | st.binary(),
    st.booleans(),
)
def test_whatever_a_hook_answers_is_a_state_with_a_message(answer: bytes, failed: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    class Payload:
        def read(self) -> bytes:
            return answer

    class Functions:
        def invoke(self, **_: Any) -> dict[str, Any]:
            return {"Payload": Payload(), **({"FunctionError": "Unhandled"} if failed else {})}

    functions: Any = Functions()
    found = Hooks(functions, NOBODY).invoke("hook", {})

    assert found.state in HookState
    assert not (failed and found.state is HookState.DONE)
    said(found.message)


@tried(20)
@given(st.integers())
def test_a_back_off_is_bounded_whatever_was_counted(tries: int) -> None:
    assert FIRST_BACK_OFF <= back_off(tries) <= LONGEST_BACK_OFF <= timedelta(hours=1)


# -- the ledger -----------------------------------------------------------------------------------

KINDS: dict[str, type[BaseModel]] = {
    "STATE": FleetState,
    "RELEASE": Record,
    "QUARANTINE": Quarantine,
    "REJECTION": Quarantine,
    "HANDOVER": Handover,
}


def old_items() -> list[tuple[type[BaseModel], dict[str, Any]]]:
    """Items that the version before wrote, as they are read from the table."""
    deserialize = TypeDeserializer().deserialize
    found = []
    for item in [one for group in captured.items().values() for one in group]:
        kind = KINDS.get(item["sk"]["S"].split("#")[0])
        if kind is not None:
            content = {name: deserialize(it) for name, it in item.items() if name[1:] != "k"}
            found.append((kind, content))
    return found


NUMBER = st.integers(-(10**37), 10**37).map(Decimal)
"""What DynamoDB has of numbers: 38 digits, and neither NaN nor infinity."""


@tried(300)
@given(st.data())
def test_an_item_of_the_version_before_or_a_broken_one_is_read_or_refused(
    data: st.DataObject,
) -> None:
    kind, content = data.draw(st.sampled_from(old_items()))
    broken = data.draw(spoiled(content) | st.just(content))
    if isinstance(broken, dict) and data.draw(st.booleans()):
        broken["schema_version"] = data.draw(NUMBER | JUNK)
    if not isinstance(broken, dict):
        return

    try:
        parsed(kind, broken, "sec-prod")
    except LedgerUnreadableError as error:
        said(str(error))


@pytest.mark.parametrize("kind", [FleetState, WriterState, PublishRecord, Watch])
def test_an_item_of_anything_is_read_or_refused(kind: type[BaseModel]) -> None:
    @tried(30)
    @given(st.dictionaries(st.sampled_from(sorted(kind.model_fields)), JSON), NUMBER)
    def read(content: dict[str, Any], version: Decimal) -> None:
        for it in (version, Decimal(1), Decimal(2)):
            try:
                parsed(kind, {**content, "schema_version": it}, "sec-prod")
            except LedgerUnreadableError as error:
                said(str(error))

    read()


# -- faults that were found -----------------------------------------------------------------------


def test_an_unknown_key_of_any_length_is_told_of_shortly() -> None:
    with pytest.raises(ValidationError) as caught:
        RolloutRequest.model_validate({"fleet": "sec", **{f"{n}" + "x" * 50_000: 1 for n in "ab"}})

    assert len(explain("The input", caught.value)) < 400


def test_of_very_many_faults_the_first_are_told_and_the_rest_counted() -> None:
    with pytest.raises(ValidationError) as caught:
        RolloutRequest.model_validate({"fleet": "sec", **{f"k{n}": 1 for n in range(1000)}})

    assert "and 980 more" in explain("The input", caught.value)


@pytest.mark.parametrize("key", ["\ud800", "a\udfff"])
def test_a_key_that_is_no_text_is_told_as_it_can_be_written(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RolloutRequest.model_validate({"fleet": "sec", key: 1})

    explain("The input", caught.value).encode()


def test_a_number_that_python_cannot_write_is_told_by_its_type() -> None:
    with pytest.raises(ValidationError) as caught:
        RolloutRequest.model_validate({"fleet": 10**5000})

    assert "fleet = a value of type int that cannot be shown" in explain("x", caught.value)


@pytest.mark.parametrize("version", [[], {}, None, "2", True, Decimal("1.5")])
def test_a_ledger_item_with_a_version_that_is_none_is_refused_by_name(version: Any) -> None:
    with pytest.raises(LedgerUnreadableError):
        parsed(Quarantine, {"schema_version": version}, "sec-prod")


@pytest.mark.parametrize("claim", [5, "hold_if_live", ["hold_if_live"]])
def test_an_old_item_whose_claim_is_none_is_refused_by_name(claim: Any) -> None:
    with pytest.raises(LedgerUnreadableError):
        parsed(FleetState, {"schema_version": Decimal(1), "claim": claim}, "sec-prod")


def test_no_model_keeps_an_instant_that_cannot_be_compared_or_calculated_with() -> None:
    root = Path(snaproll.__file__).parent
    modules = [
        importlib.import_module(
            f"snaproll.{'.'.join(path.relative_to(root).with_suffix('').parts)}"
        )
        for path in root.rglob("*.py")
        if path.stem != "__init__"
    ]
    models = {
        one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, BaseModel)
    }
    bare = [
        f"{model.__name__}.{name}"
        for model in models
        for name, annotation in vars(model).get("__annotations__", {}).items()
        if "datetime" in str(annotation)
    ]

    assert bare == []


def test_an_account_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValidationError):
        SnapshotEvent.model_validate({**EVENTS[SnapshotEvent][0], "account": "\ud800"})


def test_an_answer_that_was_cut_within_a_character_is_heard_all_the_same() -> None:
    heard = Heard.model_validate({"moment": MOMENT, "error": "E", "cause": "it broke \ud83d"})

    assert understand(heard, "snaproll-probe-prod-x").reason.endswith("E: it broke ?")
