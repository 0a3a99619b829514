"""What a check made in an account, and how all of it is taken away again, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from tools.conformance.answers import DENIED

GONE: Final = (
    "NotFound",
    "NoSuchEntity",
    "DoesNotExist",
    "does not exist",
    "not found",
    "NonExistent",
)
"""How services say that something is not there (any more)."""
TRIES: Final = 6
PAUSE_SECONDS: Final = 10.0
"""Between tries: what was just changed is often in use for some seconds more."""

Sleep = Callable[[float], None]
really_sleep: Final[Sleep] = time.sleep


@dataclass(frozen=True)
class Left:
    """Something that could not be deleted: what it is, why, and the command that deletes it."""

    what: str
    why: str
    command: str


@dataclass(frozen=True)
class _Belonging:
    what: str
    command: str
    delete: Callable[[], object]


class Belongings:
    """What a check made, to be given back last made first.

    Parameters
    ----------
    sleep
        Lets seconds pass between tries.
    tell
        Hears what is about to be made and how it can be deleted, so that even a program that is
        killed leaves the commands on the terminal.
    """

    def __init__(self, sleep: Sleep, tell: Callable[[str], None]) -> None:
        self._sleep = sleep
        self._tell = tell
        self._held: list[_Belonging] = []

    def expect(self, what: str, command: str, delete: Callable[[], object]) -> None:
        """Take note of something *before* it is made: its making may succeed unheard.

        ``delete`` raises what the SDK raises; that the thing is not there is fine.
        """
        self._tell(f"makes {what}; deletes it afterwards (by hand: {command})")
        self._held.append(_Belonging(what, command, delete))

    def was_refused(self) -> None:
        """Forget the last thing expected: AWS refused to make it, so one of that name is not ours.

        Only after a definite refusal; when no answer came, it may be there.
        """
        self._held.pop()

    def give_back(self) -> list[Left]:
        """Delete everything, and tell what could not be."""
        left = []
        while self._held:
            belonging = self._held.pop()
            why = self._deleted(belonging)
            if why is not None:
                left.append(Left(belonging.what, why, belonging.command))
        return left

    def _deleted(self, belonging: _Belonging) -> str | None:
        """Delete one; None when it is gone, else why not."""
        why = ""
        for attempt in range(TRIES):
            if attempt:
                self._sleep(PAUSE_SECONDS)
            try:
                belonging.delete()
            except ClientError as error:
                told = error.response.get("Error", {})
                code, why = str(told.get("Code", "")), str(error)
                if any(word in f"{code} {told.get('Message', '')}" for word in GONE):
                    return None
                if code in DENIED:
                    return why
            except BotoCoreError as error:
                why = str(error)
            else:
                return None
        return why
