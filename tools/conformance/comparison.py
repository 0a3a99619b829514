"""Tells two runs of one check apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from tools.conformance.answers import Answer, UnmetError, shown
from tools.conformance.normal import Normal

ABSENT: Final = "absent"


class Difference(BaseModel):
    """AWS answers otherwise than the embedded AWS does, or than the contract says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    call: str
    where: str
    """The member, or ``the answer``, its ``message`` or ``the HTTP status``."""
    theirs: str
    """What AWS answers."""
    ours: str
    """What the embedded AWS answers, or what the contract says."""


def differences(
    check: str, theirs: Sequence[Answer], ours: Sequence[Answer]
) -> Iterator[Difference]:
    """Tell where two runs differ, up to where they went different ways."""
    normal_theirs, normal_ours = Normal(), Normal()
    for answer, other in zip(theirs, ours, strict=False):
        if answer.call != other.call:
            yield Difference(
                check=check, call=answer.call, where="what was asked", theirs="", ours=other.call
            )
            return
        for where, left, right in _of_answers(answer, other, normal_theirs, normal_ours):
            yield Difference(
                check=check, call=answer.call, where=where, theirs=shown(left), ours=shown(right)
            )


def unmet(check: str, error: UnmetError, *, of_ours: bool = False) -> Difference:
    """What differs when AWS, or the embedded AWS alone, does not keep to a contract."""
    contract = f"{error.wanted} (by the contract)"
    return Difference(
        check=check,
        call=error.call,
        where=error.where,
        theirs=contract if of_ours else error.told,
        ours=error.told if of_ours else contract,
    )


def _of_answers(
    answer: Answer, other: Answer, normal: Normal, normal_other: Normal
) -> Iterator[tuple[str, Any, Any]]:
    if (answer.reply is None) != (other.reply is None) or answer.code != other.code:
        yield "the answer", answer.told, other.told
        return
    if answer.status != other.status:
        yield "the HTTP status", str(answer.status), str(other.status)
    if answer.code:
        left, right = normal.text(answer.message), normal_other.text(other.message)
        if left != right:
            yield "the message", left, right
    if answer.in_full:
        content = answer.extra if answer.reply is None else answer.reply
        content_other = other.extra if other.reply is None else other.reply
        yield from _of_values("", normal.value(content), normal_other.value(content_other))


def _of_values(where: str, left: Any, right: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for name in sorted(left.keys() | right.keys()):
            at = f"{where}.{name}" if where else name
            yield from _of_values(at, left.get(name, ABSENT), right.get(name, ABSENT))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _of_values(f"{where}[{number}]", one, other)
    elif left != right:
        yield where or "the reply", left, right
