"""The rule of a composite alarm: ``ALARM(a) AND NOT (OK("b") OR TRUE)``.

Grammar: CloudWatch user guide, "Create a composite alarm", and botocore, PutCompositeAlarmInput.
NOT binds tighter than AND, AND tighter than OR.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from embedded.world.errors import AwsError, NotEmulatedError

States = Callable[[str], str | None]
"""The state of an alarm by name, None when there is no such alarm."""

_TOKEN = re.compile(
    r"\s*(?:(?P<test>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[^\")]+?))"
    r"\s*\)|(?P<word>AND|OR|NOT|TRUE|FALSE|AT_LEAST)\b|(?P<bracket>[()]))"
)


@dataclass(frozen=True)
class Token:
    """A test of an alarm (``value`` names it), a word or a bracket."""

    kind: str
    value: str = ""


def tokens_of(rule: str) -> list[Token]:
    """The tokens of a rule.

    Raises
    ------
    AwsError
        ``ValidationError`` where it cannot be read.
    NotEmulatedError
        For ``AT_LEAST``.
    """
    found: list[Token] = []
    position = 0
    text = rule.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unreadable(rule)
        position = match.end()
        if match["test"]:
            found.append(Token(match["test"], _name(match["quoted"] or match["bare"])))
        elif match["word"] == "AT_LEAST":
            raise NotEmulatedError("AT_LEAST in composite alarms")
        else:
            found.append(Token(match["word"] or match["bracket"]))
    return found


def _name(reference: str) -> str:
    return reference.partition(":alarm:")[2] if reference.startswith("arn:") else reference


def _unreadable(rule: str) -> AwsError:
    return AwsError("ValidationError", f"AlarmRule is not valid: {rule}")


class Rule:
    """A composite alarm's rule, ready to be evaluated.

    Raises
    ------
    AwsError
        ``ValidationError`` for a rule that is none.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokens_of(text)
        self.children = frozenset(token.value for token in self._tokens if token.value)
        self._position = 0
        self.holds(lambda _name: "OK")

    def holds(self, states: States) -> bool:
        """Whether the rule is true, given the states of its children."""
        self._position = 0
        result = self._either(states)
        if self._position != len(self._tokens):
            raise _unreadable(self.text)
        return result

    def _either(self, states: States) -> bool:
        result = self._both(states)
        while self._take("OR"):
            other = self._both(states)
            result = result or other
        return result

    def _both(self, states: States) -> bool:
        result = self._single(states)
        while self._take("AND"):
            other = self._single(states)
            result = result and other
        return result

    def _single(self, states: States) -> bool:
        if self._take("NOT"):
            return not self._single(states)
        if self._take("("):
            result = self._either(states)
            if not self._take(")"):
                raise _unreadable(self.text)
            return result
        if self._position == len(self._tokens):
            raise _unreadable(self.text)
        token = self._tokens[self._position]
        self._position += 1
        if token.kind in ("TRUE", "FALSE"):
            return token.kind == "TRUE"
        if not token.value:
            raise _unreadable(self.text)
        return states(token.value) == token.kind

    def _take(self, kind: str) -> bool:
        fits = self._position < len(self._tokens) and self._tokens[self._position].kind == kind
        self._position += fits
        return fits
