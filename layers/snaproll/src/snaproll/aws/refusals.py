"""Where AWS's error codes become the project's named errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, HTTPClientError

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


def code_of(error: ClientError) -> str:
    """The wire code of an error answer."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """What AWS said."""
    return str(error.response.get("Error", {}).get("Message", ""))


def named(error: ClientError, doing: str) -> SnaprollError:
    """The named error for an error answer; ``doing`` says what was tried, for people."""
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
    except ClientError as error:
        raise named(error, doing) from error
    except HTTPClientError as error:
        raise AwsUnavailableError(f"AWS did not answer when asked to {doing}: {error}") from error
