"""What Auto Scaling's requests share: refusals, pages, and members that are not modelled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply

T = TypeVar("T")

HISTORY = timedelta(weeks=6)
"""How far back refreshes and activities can be described (botocore, DescribeInstanceRefreshes)."""


def invalid(message: str) -> AwsError:
    """The generic refusal; botocore models no shape for it."""
    return AwsError("ValidationError", message)


def refuse_unmodelled(operation: str, params: Params, modelled: Iterable[str]) -> None:
    """Refuse a request that uses a member which the world would have to ignore.

    Raises
    ------
    NotEmulatedError
        Naming the first such member.
    """
    for name in sorted(set(params) - set(modelled)):
        raise NotEmulatedError(f"{name} of autoscaling:{operation}")


def page(
    items: Sequence[T], params: Params, *, default: int, largest: int = 100
) -> tuple[list[T], str | None]:
    """One page of ``items`` and the token of the next one.

    Raises
    ------
    AwsError
        ``InvalidNextToken`` for a token that is none of ours, ``ValidationError`` for a
        MaxRecords that is not from 1 to ``largest``.
    """
    size = params.get("MaxRecords", default)
    if not 1 <= size <= largest:
        raise invalid(f"MaxRecords must be a number from 1 to {largest}.")
    start = _offset(params.get("NextToken"))
    end = start + size
    return list(items[start:end]), f"page:{end}" if end < len(items) else None


def _offset(token: str | None) -> int:
    if not token:
        return 0
    match = re.fullmatch(r"page:(\d+)", token)
    if match is None:
        raise AwsError("InvalidNextToken", f"The token '{token}' is invalid.")
    return int(match[1])


def paged(key: str, shapes: list[Reply], token: str | None) -> Reply:
    """An answer holding a page, with NextToken only when there is another page."""
    return {key: shapes, "NextToken": token} if token else {key: shapes}


def instant(when: datetime) -> str:
    """An instant as Auto Scaling writes it into causes and events: ``2026-01-05T09:00:00Z``."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
