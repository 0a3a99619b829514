"""Answers of two accounts, with everything taken out that is bound to differ.

Both places use the same names, account and Region; so what is left to differ is ids that AWS makes
up, the time, and whom things belong to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

_MADE_UP: Final = re.compile(
    r"\b(?P<kind>lt|snap|i|vol|ami|subnet|vpc|sg|eni)-[0-9a-f]{8,17}\b"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|(?<=/)[0-9a-f]{16}\b"
)
"""Ids of EC2, UUIDs, and the last part of a target group's ARN."""
_INSTANT: Final = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_ZONE: Final = re.compile(r"\b[a-z]{2}(?:-[a-z]+)+-\d[a-z]\b|\b[a-z]{2,5}\d-az\d\b")
_ELSEWHERE: Final[Mapping[str, str]] = {
    # As structure or text, by what botocore makes of it; no check is about it.
    "AssumeRolePolicyDocument": "a policy",
    "CreatedBy": "who asked",
    "NextToken": "a token",
    "nextToken": "a token",
    "ServiceLinkedRoleARN": "the service's role",
    "RoleId": "an id",
    "ServerSideEncryptionVerificationToken": "a token",
}
"""Members that are somebody's own, and what they are compared as."""
_OF_AWS: Final = "aws:"


class Normal:
    """Makes values of one place comparable; the same id becomes the same word each time."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def value(self, value: Any, name: str = "") -> Any:
        """Give a value as it is compared."""
        if name in _ELSEWHERE:
            return _ELSEWHERE[name]
        if isinstance(value, Mapping):
            return {key: self.value(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return self._list(value)
        if isinstance(value, datetime):
            return "a time"
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """Give a text as it is compared."""
        text = _ZONE.sub("a zone", _INSTANT.sub("a time", text))
        return _MADE_UP.sub(self._word, text)

    def _word(self, found: re.Match[str]) -> str:
        kind = found["kind"] or "id"
        known = self._known
        if found[0] not in known:
            number = sum(word.startswith(f"{kind}#") for word in known.values()) + 1
            known[found[0]] = f"{kind}#{number}"
        return known[found[0]]

    def _list(self, values: list[Any]) -> list[Any]:
        kept = [self.value(one) for one in values if not _set_by_aws(one)]
        if all(isinstance(one, dict) and isinstance(one.get("Key"), str) for one in kept):
            # Tags come in no order.
            kept.sort(key=lambda one: one["Key"])
        return kept


def _set_by_aws(tag: Any) -> bool:
    """Whether it is a tag that AWS itself put there."""
    return isinstance(tag, Mapping) and str(tag.get("Key", "")).startswith(_OF_AWS)
