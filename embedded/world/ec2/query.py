"""What EC2's requests share: dry runs, filters with wildcards, pages and idempotency tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from embedded.world.clock import Clock
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply
from embedded.world.values import copied

T = TypeVar("T")
Field = Callable[[T], Iterable[str]]
"""The values of an item that a filter is compared with."""

TOKEN_LIFETIME = timedelta(hours=24)
"""How long a ClientToken is remembered.

AWS promises to remember for a limited time only; a token used again later does its work again.
"""


def refuse_dry_run(params: Params) -> None:
    """Answer a dry run: the world's callers always have permission, which is all it checks.

    Raises
    ------
    AwsError
        ``DryRunOperation`` (HTTP 412) when the request says DryRun.
    """
    if params.get("DryRun"):
        raise AwsError(
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
            http_status=412,
        )


def instant(when: datetime) -> str:
    """An instant as EC2 writes it in filters and events: ``2026-01-05T09:00:00Z``."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def truth(*, value: bool) -> tuple[str]:
    """A boolean as EC2 filters compare it."""
    return ("true" if value else "false",)


@lru_cache(maxsize=512)
def _pattern(value: str) -> re.Pattern[str]:
    """EC2's wildcards: ``*`` for any run, ``?`` for one character, a backslash escapes."""
    parts = re.findall(r"\\.|.", value, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile(
        "".join(wild.get(part) or re.escape(part.removeprefix("\\") or part) for part in parts),
        re.DOTALL,
    )


def _meets(values: Iterable[str], wanted: Sequence[str]) -> bool:
    patterns = [_pattern(text) for text in wanted]
    return any(pattern.fullmatch(value) for value in values for pattern in patterns)


def select(
    items: Iterable[T],
    filters: Sequence[Params],
    fields: Mapping[str, Field[T]],
    tags: Callable[[T], Mapping[str, str]] | None = None,
) -> list[T]:
    """The items that meet every filter; a filter's values are alternatives.

    Raises
    ------
    NotEmulatedError
        For a filter that is not modelled: ignoring it would return too much.
    """
    chosen = list(items)
    for condition in filters:
        name, wanted = condition.get("Name", ""), condition.get("Values", [])
        read = _field(name, fields, tags)
        chosen = [item for item in chosen if _meets(read(item), wanted)]
    return chosen


def _field(
    name: str,
    fields: Mapping[str, Field[T]],
    tags: Callable[[T], Mapping[str, str]] | None,
) -> Field[T]:
    if name in fields:
        return fields[name]
    if tags is not None and name == "tag-key":
        return lambda item: tags(item).keys()
    if tags is not None and name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda item: (tags(item)[key],) if key in tags(item) else ()
    raise NotEmulatedError(f"the EC2 filter {name!r} for this operation")


def page(
    items: Sequence[T],
    params: Params,
    *,
    smallest: int = 5,
    largest: int = 1000,
) -> tuple[list[T], str | None]:
    """One page of ``items`` and the token of the next one.

    Raises
    ------
    AwsError
        ``InvalidParameterValue`` for a MaxResults out of range or a token that is none of ours.
    """
    size = params.get("MaxResults")
    if size is not None and size < smallest:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ( {size} ) for parameter maxResults is invalid. "
            f"Expecting a value greater than {smallest}.",
        )
    start = _offset(params.get("NextToken"))
    if size is None:
        return list(items[start:]), None
    end = start + min(size, largest)
    return list(items[start:end]), f"page:{end}" if end < len(items) else None


def _offset(token: str | None) -> int:
    if not token:
        return 0
    match = re.fullmatch(r"page:(\d+)", token)
    if match is None:
        raise AwsError("InvalidParameterValue", f"Unable to parse pagination token {token}.")
    return int(match[1])


def paged(key: str, shapes: list[Reply], token: str | None) -> Reply:
    """An answer holding a page, with NextToken only when there is another page."""
    return {key: shapes, "NextToken": token} if token else {key: shapes}


@dataclass(frozen=True)
class _Remembered:
    at: datetime
    request: str
    reply: Reply


class ClientTokens:
    """Answers already given, by ClientToken, so that a repeated request is done once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[tuple[str, str], _Remembered] = {}

    def once(self, operation: str, params: Params, do: Callable[[], Reply]) -> Reply:
        """The earlier answer to the same request with the same token, or that of doing it now.

        Raises
        ------
        AwsError
            ``IdempotentParameterMismatch`` when the token came with other parameters before.
        """
        token = params.get("ClientToken")
        if not token:
            return do()
        self._forget_old()
        request = json.dumps(params, sort_keys=True, default=str)
        known = self._answers.get((operation, token))
        if known is None:
            reply = do()
            self._answers[operation, token] = _Remembered(self._clock.now(), request, copied(reply))
            return reply
        if known.request != request:
            raise AwsError(
                "IdempotentParameterMismatch",
                f"The client token {token} was used before with different parameters.",
            )
        again: Reply = copied(known.reply)
        return again

    def _forget_old(self) -> None:
        horizon = self._clock.now() - TOKEN_LIFETIME
        while self._answers:
            oldest = next(iter(self._answers))
            if self._answers[oldest].at > horizon:
                return
            del self._answers[oldest]


def tag_shapes(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tags as EC2 lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
