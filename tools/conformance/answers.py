"""What came back from one call, and what a contract may ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from embedded.world.errors import NotEmulatedError

DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "NotAuthorized",
        "OptInRequired",
        "UnauthorizedOperation",
    }
)
"""Codes by which services say that the caller may not do something; not an answer to the call."""
NO_ANSWER: Final[Mapping[str, str]] = {
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "InvalidClientTokenId": "AWS does not know the credentials",
    "RequestExpired": "the credentials have expired, or this machine's clock is wrong",
    "RequestLimitExceeded": "throttled, try after try",
    "Throttling": "throttled, try after try",
    "ThrottlingException": "throttled, try after try",
    "UnrecognizedClientException": "AWS does not know the credentials",
}
"""Codes that say nothing of the call, and what they mean."""


class UnmetError(Exception):
    """An answer is not what the contract says; ``told`` is the answer, ``wanted`` the contract."""

    def __init__(self, call: str, where: str, told: str, wanted: str) -> None:
        super().__init__(f"{call}: {where} is {told}; the contract says {wanted}")
        self.call = call
        self.where = where
        self.told = told
        self.wanted = wanted


class DeniedError(Exception):
    """The caller may not make a call that a check needs."""

    def __init__(self, call: str, message: str) -> None:
        super().__init__(f"{call}: {message}")
        self.call = call


class NotCheckedError(Exception):
    """A check cannot say anything here; the text says why."""


@dataclass(frozen=True)
class Answer:
    """A reply, or a refusal with its wire code, message, HTTP status and further members."""

    call: str
    reply: Mapping[str, Any] | None = None
    code: str = ""
    message: str = ""
    status: int = 200
    extra: Mapping[str, Any] = field(default_factory=dict)
    in_full: bool = True
    """Whether everything in it is about things of the check's own, and so can be compared."""

    def must_refuse(self, *codes: str, status: int | None = None) -> Answer:
        """Hold it against documented refusals.

        Raises
        ------
        UnmetError
            When it is a reply, or another refusal.
        """
        if self.code not in codes:
            raise UnmetError(self.call, "the answer", self.told, " or ".join(codes))
        if status is not None and self.status != status:
            raise UnmetError(self.call, "the HTTP status", str(self.status), str(status))
        return self

    def must_reply(self, *paths: str) -> Answer:
        """Hold it against the members that snaproll takes for granted.

        A path goes down by dots; ``[]`` after a name means every element of a list.

        Raises
        ------
        UnmetError
            When it is a refusal, or a member is missing.
        """
        if self.reply is None:
            raise UnmetError(self.call, "the answer", self.told, "a reply")
        for path in paths:
            for found in values_at(self.reply, path):
                if found is None:
                    raise UnmetError(self.call, path, "absent", "always there")
        return self

    def must_hold(self, path: str, wanted: object) -> Answer:
        """Hold one member against the documented value; a path as in ``must_reply``.

        Raises
        ------
        UnmetError
            When it is another.
        """
        self.must_reply()
        found = list(values_at(self.reply, path))
        if found != [wanted]:
            raise UnmetError(self.call, path, shown(found), shown([wanted]))
        return self

    def at(self, path: str) -> Any:
        """The value at a path without lists.

        Raises
        ------
        UnmetError
            When it is not there.
        """
        self.must_reply(path)
        return next(values_at(self.reply, path))

    @property
    def told(self) -> str:
        """The answer in a few words, for people."""
        return f"{self.code}: {self.message}" if self.code else "a reply"


def values_at(value: Any, path: str) -> Iterator[Any]:
    """Every value at a path; None for one that is missing, nothing for an empty list."""
    if not path:
        yield value
        return
    name, _, rest = path.partition(".")
    here = value.get(name.removesuffix("[]")) if isinstance(value, Mapping) else None
    if not name.endswith("[]"):
        if here is None:
            yield None
        else:
            yield from values_at(here, rest)
    elif here is None:
        yield None
    else:
        for one in here:
            yield from values_at(one, rest)


def replied(call: str, reply: Mapping[str, Any], *, in_full: bool) -> Answer:
    """An answer from what an SDK's client gave."""
    content = {name: value for name, value in reply.items() if name != "ResponseMetadata"}
    status = reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 200)
    return Answer(call, content, status=status, in_full=in_full)


def refused(call: str, error: ClientError | NotEmulatedError, *, in_full: bool) -> Answer:
    """An answer from what an SDK's client raised."""
    if isinstance(error, NotEmulatedError):
        return Answer(call, None, error.code, error.message, error.http_status, in_full=in_full)
    response: Mapping[str, Any] = error.response
    told = response.get("Error", {})
    extra = {
        name: value
        for name, value in response.items()
        if name not in {"Error", "ResponseMetadata", "Type"} and name.lower() != "message"
    }
    return Answer(
        call,
        None,
        str(told.get("Code", "")),
        str(told.get("Message", "")),
        int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)),
        extra,
        in_full,
    )


def shown(value: object, most: int = 300) -> str:
    """A value for people, cut where it gets long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
