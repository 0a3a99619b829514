"""Runs checks in an account and in a fresh world, and compares what they heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError

from embedded import direct, plain
from embedded.wire.cloudformation import CloudFormation
from embedded.world.world import World
from tools.conformance.account import Account
from tools.conformance.answers import Answer, DeniedError, NotCheckedError, UnmetError, shown
from tools.conformance.belongings import Belongings, Sleep
from tools.conformance.checks import Check, Need
from tools.conformance.comparison import Difference, differences, unmet
from tools.conformance.place import Fleet, Place
from tools.conformance.report import LeftBehind, NotChecked, Report

ROOT: Final = Path(__file__).parents[2]
_NOTHING: Final = "no call"


@dataclass
class Theirs:
    """What a check heard in the account, and what cut it short."""

    heard: list[Answer]
    cut: Exception | None = None


class Conformance:
    """One run.

    Parameters
    ----------
    account
        Where the checks are run first, all of them; the world comes afterwards.
    report
        What is filled in.
    sleep
        Lets seconds pass in the account.
    tell
        Hears, for people, what goes on.
    fleet
        A fleet in the account that may be looked at.
    """

    def __init__(
        self,
        account: Account,
        report: Report,
        *,
        sleep: Sleep,
        tell: Callable[[str], None],
        fleet: Fleet | None = None,
    ) -> None:
        self._account = account
        self._report = report
        self._sleep = sleep
        self._tell = tell
        self._fleet = fleet

    def run(self, checks: Iterable[Check]) -> None:
        """Run the checks; whatever happens, what they made is deleted or told."""
        heard = [(check, self._in_account(check)) for check in checks]
        ours = _Ours(self._account, self._report.run)
        for check, theirs in heard:
            found = list(self._compared(check, theirs, ours))
            self._report.differences += found
            if theirs.cut is None and not found:
                self._report.agreed.append(check.name)

    # -- in the account ----------------------------------------------------------------------------

    def _in_account(self, check: Check) -> Theirs:
        self._tell(f"{check.name.replace('_', ' ')} …")
        belongings = Belongings(self._sleep, lambda text: self._tell(f"  {text}"))
        place = Place(
            self._account.client,
            run=self._report.run,
            sleep=self._sleep,
            belongings=belongings,
            region=self._account.settings.region,
            account=self._account.identity.Account,
            fleet=self._fleet,
        )
        cut: Exception | None = None
        try:
            check.run(place)
        except (UnmetError, DeniedError, NotCheckedError, BotoCoreError) as error:
            cut = error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # An answer has not the form that everything here takes for granted.
            last = place.heard[-1] if place.heard else None
            cut = UnmetError(
                last.call if last else _NOTHING,
                "what is read of the answer",
                f"{type(error).__name__}: {error}, of {shown(last and last.reply)}",
                "there",
            )
        finally:
            self._report.left_behind += [
                LeftBehind(what=one.what, why=one.why, command=one.command)
                for one in belongings.give_back()
            ]
        self._note(check, place, cut)
        return Theirs(place.heard, cut)

    def _note(self, check: Check, place: Place, cut: Exception | None) -> None:
        """Note what could not be checked, and why."""
        last = place.heard[-1].call if place.heard else _NOTHING
        if isinstance(cut, DeniedError):
            why, call = f"denied: {cut}", cut.call
        elif isinstance(cut, NotCheckedError):
            why, call = str(cut), last
        elif isinstance(cut, BotoCoreError):
            why, call = f"no answer: {cut}", f"after {last}"
        else:
            return
        self._report.not_checked.append(NotChecked(check=check.name, call=call, why=why))

    # -- compared ----------------------------------------------------------------------------------

    def _compared(self, check: Check, theirs: Theirs, ours: _Ours) -> Iterable[Difference]:
        # What the embedded AWS says of a fleet is held to the same contract by its own tests.
        heard, cut = ([], None) if check.need is Need.FLEET else ours.heard(check)
        found = list(differences(check.name, theirs.heard, heard))
        yield from found
        told = {one.call for one in found}
        if isinstance(theirs.cut, UnmetError) and theirs.cut.call not in told:
            yield unmet(check.name, theirs.cut)
        if cut is not None and theirs.cut is None:
            yield unmet(check.name, cut, of_ours=True)


class _Ours:
    """The embedded AWS, as an account of the same id in the same Region."""

    def __init__(self, account: Account, run: str) -> None:
        self._run = run
        self._world = World(account=account.identity.Account, region=account.settings.region)
        self._world.add_service(CloudFormation(self._world, ROOT))
        plain.attach(self._world)
        self._session: Any = direct.session(self._world)

    def heard(self, check: Check) -> tuple[list[Answer], UnmetError | None]:
        """What a check hears there, and what it misses there of its contract."""
        belongings = Belongings(self._world.run_for, lambda _: None)
        place = Place(
            self._session.client,
            run=self._run,
            sleep=self._world.run_for,
            belongings=belongings,
            region=self._world.region,
            account=self._world.account,
        )
        cut: UnmetError | None = None
        try:
            check.run(place)
        except UnmetError as error:
            cut = error
        finally:
            belongings.give_back()
        return place.heard, cut
