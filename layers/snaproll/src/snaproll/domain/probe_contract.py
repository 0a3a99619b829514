"""What a fleet's probe is asked, and what it answers: a versioned contract with others' code.

``docs/probe.md`` describes it; its JSON Schemas are made from the models here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from snaproll.explain import explain
from snaproll.model import Instant, StrictValue, Value

VERSION = 1
"""Version of the contract; it changes when a member loses or changes its meaning."""
MOST_INSTANCES = 1_000
"""Instances named in one request: what moves between states is at most 256 KiB."""
LONGEST_ANSWER = 10_000
"""Characters of an answer's JSON; the rollout's definition cuts it behind them."""
LONGEST_REASON = 1_000
"""Characters that are kept of a reason."""


class Occasion(StrEnum):
    """What makes snaproll ask."""

    CHECKPOINT = "checkpoint"
    """The share of the fleet that a checkpoint names runs the snapshot."""
    END_OF_BAKE = "end_of_bake"
    """The whole fleet has served the snapshot through its bake: the last question."""


class Moment(Value):
    """When in a rollout the probe is asked."""

    occasion: Occasion
    percentage: int = Field(
        ge=1, le=100, description="The checkpoint's percentage; 100 at the end of the bake."
    )

    def __str__(self) -> str:
        if self.occasion is Occasion.END_OF_BAKE:
            return "the end of the bake"
        return f"the checkpoint of {self.percentage} %"


class ProbedSnapshot(Value):
    """The data version under test."""

    id: str
    data_time: Instant | None = Field(
        default=None, description="When its data was true; null when nobody knows."
    )


class ProbedInstance(Value):
    """One instance that serves the snapshot, healthy at the load balancer."""

    id: str
    private_address: str


class ProbeRequest(Value):
    """What a probe is asked: whether these instances serve this snapshot well."""

    version: Literal[1] = Field(default=1, description="Version of this contract.")
    environment: str
    fleet: str
    snapshot: ProbedSnapshot
    instances: list[ProbedInstance] = Field(
        min_length=1,
        max_length=MOST_INSTANCES,
        description="The new instances that serve now, all of them up to 1,000.",
    )
    instance_count: int = Field(description="How many there are, named above or not.")
    moment: Moment
    execution: str = Field(description="ARN of the rollout's execution.")
    attempt: int = Field(
        ge=1, description="1 for the first question of a moment, 2 after an inconclusive answer."
    )


class ProbeVerdict(StrEnum):
    """What a probe found."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    """The instances serve the snapshot well."""
    FAIL = "fail"
    """The data is bad: every instance goes back, and the snapshot is quarantined."""
    INCONCLUSIVE = "inconclusive"
    """It could not tell. It is asked again; without a pass every instance goes back."""


def _cut(text: Any) -> Any:
    return text[:LONGEST_REASON] if isinstance(text, str) else text


class ProbeAnswer(Value):
    """What a probe answers. Members that are not named here are ignored."""

    version: Literal[1] = Field(default=1, description="Version of this contract.")
    verdict: ProbeVerdict
    reason: Annotated[str, BeforeValidator(_cut)] = Field(
        min_length=1,
        description="A sentence for people; what is behind 1,000 characters is cut off.",
    )
    details: dict[str, Any] = Field(
        default={}, description="Anything worth keeping in the execution's history."
    )


def _writable(text: Any) -> Any:
    return text.encode("utf-8", "replace").decode("utf-8") if isinstance(text, str) else text


_Said = Annotated[str, BeforeValidator(_writable)]
"""Somebody else's text, which the definition may have cut in the middle of a character."""


class Heard(StrictValue):
    """What came of asking a probe, as the rollout's definition keeps it.

    ``answer`` is the JSON text of ``{"answer": …}``, cut behind a little more than
    ``LONGEST_ANSWER`` characters, and None when there was an error; ``error`` and ``cause`` are
    those of Step Functions.
    """

    moment: Moment
    answer: _Said | None = None
    error: _Said = ""
    cause: _Said = ""


class _Told(Value):
    answer: ProbeAnswer


class _Cause(Value):
    """What Lambda tells of a handler that raised."""

    errorMessage: str  # noqa: N815 - Lambda's own name


def understand(heard: Heard, function: str) -> ProbeAnswer:
    """Read what came of asking; whatever is no valid answer is inconclusive, and says why."""
    if heard.answer is None:
        return _inconclusive(f"the function {function} failed: {_failure(heard)}")
    if len(heard.answer) > LONGEST_ANSWER:
        return _inconclusive(f"the answer of {function} is longer than {LONGEST_ANSWER} characters")
    try:
        return _Told.model_validate_json(heard.answer).answer
    except ValidationError as error:
        return _inconclusive(explain(f"what {function} answered", error).rstrip("."))


def _failure(heard: Heard) -> str:
    if heard.error == "States.Timeout":
        return "it did not answer in time"
    try:
        cause = _Cause.model_validate_json(heard.cause).errorMessage
    except ValidationError:
        cause = heard.cause
    return f"{heard.error}: {cause}".rstrip(": ")


def _inconclusive(reason: str) -> ProbeAnswer:
    return ProbeAnswer(verdict=ProbeVerdict.INCONCLUSIVE, reason=reason)
