"""Where AWS's error codes become the project's named errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from snaproll.errors import (
    AccessDeniedError,
    AwsRefusedError,
    AwsUnavailableError,
    SnaprollError,
    ThrottledError,
)

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "TooManyUpdates",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        # Named by the Auto Scaling API's welcome page; not in the SDK's own list.
        "RateExceeded",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "AuthorizationErrorException",
        "NotAuthorized",
    }
)
_SERVER_FAULT = 500


SdkError = ClientError | HTTPClientError | NoConnectionError
SDK_ERRORS = (ClientError, HTTPClientError, NoConnectionError)
"""What the SDK raises when its tries are used up: an error answer, or no answer at all."""


def code_of(error: SdkError) -> str:
    """The wire code of an error answer; empty when there was no answer."""
    return str(_answer(error).get("Code", ""))


def message_of(error: SdkError) -> str:
    """What AWS said."""
    return str(_answer(error).get("Message", ""))


def _answer(error: SdkError) -> Mapping[str, Any]:
    return error.response.get("Error", {}) if isinstance(error, ClientError) else {}


def named(error: SdkError, doing: str) -> SnaprollError:
    """The named error for what the SDK raised; ``doing`` says what was tried, for people."""
    if not isinstance(error, ClientError):
        return AwsUnavailableError(f"AWS did not answer when asked to {doing}: {error}")
    code, status = code_of(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    text = f"AWS refused to {doing}: {code}: {message_of(error)}"
    if code in _THROTTLED:
        return ThrottledError(text)
    if code in _DENIED:
        return AccessDeniedError(
            f"{text} Check the policy of the function's role and the tags that it is bound to."
        )
    if isinstance(status, int) and status >= _SERVER_FAULT:
        return AwsUnavailableError(text)
    return AwsRefusedError(text)


@contextmanager
def named_errors(doing: str) -> Iterator[None]:
    """Turn what the SDK raises inside into named errors."""
    try:
        yield
    except SDK_ERRORS as error:
        raise named(error, doing) from error
