"""Task tokens: who waits for which answer, and what became of the tokens that were given out."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from embedded.world.clock import Timer
from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.states.documents import Document
    from embedded.states.execution import Execution
    from embedded.states.failures import StateFailedError
    from embedded.world.world import World

_PREFIX: Final = "AQCgAAAAKgAAAAMAAAAA"
_DIGESTS: Final = 7
"""Tokens of AWS are several hundred characters long; whoever stores them should feel it."""


@dataclass
class Callback:
    """A task that waits for its token to come back."""

    token: str
    execution: Execution
    heartbeat_seconds: int | None = None
    submitted: bool = False
    """Whether the call that handed the token over has returned."""
    answer: Document | StateFailedError | None = None
    """What came back before that."""
    heartbeat: Timer | None = None


class Callbacks:
    """All task tokens of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: dict[str, Callback] = {}
        self._of: dict[str, Callback] = {}
        self._closed: set[str] = set()

    def new(self, execution: Execution) -> Callback:
        """Give out a token. Every attempt of a task has its own."""
        seed = self._world.new_uuid()
        digests = b"".join(
            hashlib.sha512(f"{seed}{number}".encode()).digest() for number in range(_DIGESTS)
        )
        callback = Callback(_PREFIX + base64.b64encode(digests).decode().rstrip("="), execution)
        self._open[callback.token] = self._of[execution.arn] = callback
        return callback

    def find(self, token: str) -> Callback:
        """Find the task that waits for a token.

        Raises
        ------
        AwsError
            ``InvalidToken`` for what was never a token, ``TaskDoesNotExist`` for an unknown one,
            ``TaskTimedOut`` when the task is over, however it ended.
        """
        callback = self._open.get(token)
        if callback is not None and callback.answer is None:
            return callback
        if callback is not None or token in self._closed:
            raise AwsError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        if not token.startswith(_PREFIX):
            raise AwsError("InvalidToken", "Invalid Token: 'Invalid token'")
        raise AwsError("TaskDoesNotExist", "Task does not exist: 'Provided task does not exist'")

    def close(self, callback: Callback) -> None:
        """Take a token back: nobody waits for it any more."""
        if callback.heartbeat is not None:
            callback.heartbeat.cancel()
        if self._open.pop(callback.token, None) is not None:
            self._closed.add(callback.token)
            self._of.pop(callback.execution.arn, None)

    def close_all(self, execution: Execution) -> None:
        """Take back the token of an execution that is over, if it waits for one."""
        if (callback := self._of.get(execution.arn)) is not None:
            self.close(callback)
