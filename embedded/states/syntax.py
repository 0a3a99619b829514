"""The shape of a definition: the states and fields of the Amazon States Language in use here.

Only what snaproll's definitions need is in. Everything else is an unknown field or type, and is
refused. Source: Amazon States Language specification; developer guide, "Workflow states".
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Seconds = Annotated[int, Field(ge=1, le=99_999_999)]
Expression = str
"""A string, which must be a JSONata expression where a plain string makes no sense."""

JSONPATH_FIELDS: Final = frozenset(
    {
        "InputPath",
        "OutputPath",
        "ResultPath",
        "ResultSelector",
        "Parameters",
        "Result",
        "ItemsPath",
        "SecondsPath",
        "TimestampPath",
        "TimeoutSecondsPath",
        "HeartbeatSecondsPath",
        "ErrorPath",
        "CausePath",
        "Variable",
    }
)


class Part(BaseModel):
    """A part of a definition: exactly its known fields, nothing converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Retrier(Part):
    """One rule of Retry."""

    comment: str | None = Field(None, alias="Comment")
    error_equals: list[str] = Field(alias="ErrorEquals", min_length=1)
    interval_seconds: Seconds = Field(1, alias="IntervalSeconds")
    max_attempts: int = Field(3, alias="MaxAttempts", ge=0, le=99_999_999)
    backoff_rate: float = Field(2.0, alias="BackoffRate", ge=1)
    max_delay_seconds: int | None = Field(None, alias="MaxDelaySeconds", gt=0, lt=31_622_400)
    jitter_strategy: Literal["FULL", "NONE"] = Field("NONE", alias="JitterStrategy")


class Catcher(Part):
    """One rule of Catch."""

    comment: str | None = Field(None, alias="Comment")
    error_equals: list[str] = Field(alias="ErrorEquals", min_length=1)
    next: Name = Field(alias="Next")
    assign: dict[str, Any] | None = Field(None, alias="Assign")
    output: Any = Field(None, alias="Output")


class ChoiceRule(Part):
    """One rule of a Choice."""

    comment: str | None = Field(None, alias="Comment")
    condition: Expression | bool = Field(alias="Condition")
    next: Name = Field(alias="Next")
    assign: dict[str, Any] | None = Field(None, alias="Assign")
    output: Any = Field(None, alias="Output")


class State(Part):
    """What every state has."""

    goes_on: ClassVar[bool] = True
    """Whether it has Next or End."""

    type: str = Field(alias="Type")
    comment: str | None = Field(None, alias="Comment")
    query_language: Literal["JSONata"] = Field("JSONata", alias="QueryLanguage")


class MovingState(State):
    """A state that goes on to another, or ends the execution."""

    next: Name | None = Field(None, alias="Next")
    end: Literal[True] | None = Field(None, alias="End")
    assign: dict[str, Any] | None = Field(None, alias="Assign")
    output: Any = Field(None, alias="Output")


class Task(MovingState):
    """Calls a service, once or until it answers by task token."""

    resource: str = Field(alias="Resource")
    arguments: dict[str, Any] | Expression = Field(alias="Arguments")
    """Required: what a task would be given without them is not documented."""
    timeout_seconds: Seconds | Expression | None = Field(None, alias="TimeoutSeconds")
    heartbeat_seconds: Seconds | Expression | None = Field(None, alias="HeartbeatSeconds")
    retry: list[Retrier] = Field([], alias="Retry")
    catch: list[Catcher] = Field([], alias="Catch")


class Pass(MovingState):
    """Shapes data."""


class Wait(MovingState):
    """Lets time pass."""

    seconds: Annotated[int, Field(ge=0, le=99_999_999)] | Expression | None = Field(
        None, alias="Seconds"
    )
    timestamp: str | None = Field(None, alias="Timestamp")


class Choice(State):
    """Goes where the first true condition points."""

    goes_on = False
    choices: list[ChoiceRule] = Field(alias="Choices", min_length=1)
    default: Name | None = Field(None, alias="Default")
    assign: dict[str, Any] | None = Field(None, alias="Assign")
    output: Any = Field(None, alias="Output")


class Succeed(State):
    """Ends the execution well."""

    goes_on = False
    output: Any = Field(None, alias="Output")


class Fail(State):
    """Ends the execution with an error."""

    goes_on = False
    error: str | None = Field(None, alias="Error")
    cause: str | None = Field(None, alias="Cause")


STATE_TYPES: Final[dict[str, type[State]]] = {
    "Task": Task,
    "Pass": Pass,
    "Wait": Wait,
    "Choice": Choice,
    "Succeed": Succeed,
    "Fail": Fail,
}
NOT_IN_USE: Final = frozenset({"Map", "Parallel"})
"""Types of the language that the embedded interpreter does not have."""


class Machine(Part):
    """The top of a definition. The states are looked at one by one, by their type."""

    comment: str | None = Field(None, alias="Comment")
    query_language: Literal["JSONata"] = Field(alias="QueryLanguage")
    version: Literal["1.0"] = Field("1.0", alias="Version")
    start_at: Name = Field(alias="StartAt")
    timeout_seconds: Seconds | None = Field(None, alias="TimeoutSeconds")
    states: dict[Name, Any] = Field(alias="States", min_length=1)
