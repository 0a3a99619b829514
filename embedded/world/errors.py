"""What the modelled AWS answers when it refuses, and when a model is asked too much."""

from __future__ import annotations


class AwsError(Exception):
    """An error answer of an AWS API, with its wire code (not its SDK class name).

    Parameters
    ----------
    code
        The wire code, for example ``InstanceRefreshInProgress`` (the SDK's class is called
        ``InstanceRefreshInProgressFault``).
    message
        What AWS says to the caller.
    http_status
        400 for a caller's mistake; 500 and above (and throttling codes) are retried by SDKs.
    extra
        Further members of the error's shape, merged into the parsed response.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        http_status: int = 400,
        extra: dict[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http_status = http_status
        self.extra = extra or {}


class NotEmulatedError(AwsError):
    """The embedded AWS does not model this; it says so instead of pretending."""

    def __init__(self, what: str) -> None:
        super().__init__("NotEmulated", f"The embedded AWS does not model {what}.", http_status=501)


class FunctionDiedError(BaseException):
    """A Lambda execution environment dies at this line.

    Not an ``Exception``: no handler can catch it by accident, just as none can on AWS.
    """


class FunctionTimedOutError(FunctionDiedError):
    """A Lambda function is stopped at this line, because its time is up.

    Emulated time does not pass meanwhile: whoever retries does so sooner than on AWS, which is the
    harder case for what the stopped function had left half done.
    """
