"""Where checks are run: either door into a world, or a real account."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from embedded.replies import misfits
from embedded.world.errors import NotEmulatedError
from tools.conformance.answers import (
    DENIED,
    NO_ANSWER,
    Answer,
    DeniedError,
    NotCheckedError,
    UnmetError,
    refused,
    replied,
)
from tools.conformance.belongings import Belongings, Sleep

TAG: Final = "snaproll:conformance"
"""Key of the tag on everything that a check makes; the run's own word is its value."""
POLL_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 5.0
"""How long a real account gets until what was written can be read."""


@dataclass(frozen=True)
class Fleet:
    """A fleet that is there, for checks that read about one."""

    group: str
    function: str | None = None


class Place:
    """An account as one check sees it; remembers every answer for the comparison.

    Parameters
    ----------
    client
        Gives the SDK client of a service.
    run
        The run's own word, in all names that it gives: lower-case letters and digits, at most 8.
    sleep
        Lets seconds pass.
    belongings
        Takes note of what is made.
    region, account
        Where this is.
    fleet
        A fleet that may be looked at.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        *,
        run: str,
        sleep: Sleep,
        belongings: Belongings,
        region: str,
        account: str,
        fleet: Fleet | None = None,
    ) -> None:
        self.run = run
        self.sleep = sleep
        self.belongings = belongings
        self.region = region
        self.account = account
        self.heard: list[Answer] = []
        self._client = client
        self._fleet = fleet

    # -- asking -----------------------------------------------------------------------------------

    def ask(self, call: str, /, **params: Any) -> Answer:
        """Make a call whose whole answer can be compared between two places.

        Raises
        ------
        DeniedError
            When the caller may not.
        """
        return self._hear(self._made(call, params, in_full=True))

    def glance(self, call: str, /, **params: Any) -> Answer:
        """Make a call whose answer is about whatever is in the account: not compared in full."""
        return self._hear(self._made(call, params, in_full=False))

    def ask_until(
        self,
        settled: Callable[[Answer], bool],
        call: str,
        /,
        *,
        within: float = 120.0,
        **params: Any,
    ) -> Answer:
        """Ask again and again, and hear the last answer only.

        Raises
        ------
        UnmetError
            When it has not settled ``within`` so many seconds.
        """
        waited = 0.0
        while True:
            answer = self._made(call, params, in_full=True, heed_denials=False)
            if settled(answer):
                return self._hear(answer)
            if answer.code in DENIED and waited >= within:
                raise DeniedError(call, answer.message)
            if waited >= within:
                self._hear(answer)
                told = f"{answer.told}, still after {within:.0f} s"
                raise UnmetError(call, "the answer", told, "something else by then")
            self.sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    def look_up(self, call: str, /, **params: Any) -> Answer:
        """Ask for what a check only needs to begin with; nothing of it is compared."""
        return self._made(call, params, in_full=False)

    def settle(self) -> None:
        """Let what was written become visible."""
        self.sleep(SETTLE_SECONDS)

    def _hear(self, answer: Answer) -> Answer:
        self.heard.append(answer)
        return answer

    def _made(
        self, call: str, params: dict[str, Any], *, in_full: bool, heed_denials: bool = True
    ) -> Answer:
        try:
            reply = self.call(call, **params)
            self._fits(call, reply)
        except (ClientError, NotEmulatedError) as error:
            answer = refused(call, error, in_full=in_full)
        else:
            answer = replied(call, reply, in_full=in_full)
        if answer.code in NO_ANSWER:
            raise NotCheckedError(f"{NO_ANSWER[answer.code]} ({call}: {answer.message})")
        if heed_denials and answer.code in DENIED:
            raise DeniedError(call, answer.message)
        return answer

    def _fits(self, call: str, reply: dict[str, Any]) -> None:
        """Hold a reply against its model's shape: names and types of members."""
        service, _, operation = call.partition(":")
        model = self._client(service).meta.service_model.operation_model(operation)
        # botocore itself turns the policies that IAM sends into structures.
        if model.output_shape is None or model.has_streaming_output or service == "iam":
            return
        content = {name: value for name, value in reply.items() if name != "ResponseMetadata"}
        wrong = "; ".join(misfits(model.output_shape, content))
        if wrong:
            raise UnmetError(call, "the reply's shape", wrong, "what botocore's model says")

    def call(self, call: str, /, **params: Any) -> dict[str, Any]:
        """Make a call that nobody hears of; raises what the SDK raises."""
        service, _, operation = call.partition(":")
        client = self._client(service)
        reply: dict[str, Any] = client._make_api_call(  # noqa: SLF001 - any call by its name
            operation, params
        )
        return reply

    # -- making -----------------------------------------------------------------------------------

    def make(self, what: str, command: str, undo: Undo, call: str, /, **params: Any) -> Answer:
        """Make something that ``undo``, or ``command`` by hand, takes away afterwards.

        Raises
        ------
        UnmetError
            When AWS refuses to make it.
        """
        self.expect(what, command, undo)
        try:
            answer = self.ask(call, **params)
        except DeniedError:
            self.belongings.was_refused()
            raise
        if answer.reply is None:
            self.belongings.was_refused()
        return answer.must_reply()

    def expect(self, what: str, command: str, undo: Undo) -> None:
        """Take note of something that will be made."""
        here = command.replace("aws ", f"aws --region {self.region} ")
        self.belongings.expect(what, here, lambda: undo(self))

    def name(self, word: str) -> str:
        """A name for something of this run's own, at most 32 characters long."""
        return f"snaproll-{self.run}-{word}"

    def made_up(self, kind: str) -> str:
        """An id of nothing, such as ``snap-0…``: the same in every place of one run."""
        digits = hashlib.sha256(f"{self.run} {kind}".encode()).hexdigest()
        return f"{kind}-0{digits[:16]}"

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tag that everything of this run has, as EC2 and many others take it."""
        return [{"Key": TAG, "Value": self.run}]

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and Region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    # -- what is there ----------------------------------------------------------------------------

    @property
    def fleet(self) -> Fleet:
        """The fleet that may be looked at.

        Raises
        ------
        NotCheckedError
            When none was named.
        """
        if self._fleet is None:
            raise NotCheckedError("needs a fleet: name its group with --group")
        return self._fleet

    def subnet(self) -> tuple[str, str]:
        """A default subnet, and its VPC.

        Raises
        ------
        NotCheckedError
            When the Region has none.
        """
        found = self.look_up(
            "ec2:DescribeSubnets", Filters=[{"Name": "default-for-az", "Values": ["true"]}]
        ).must_reply("Subnets[].SubnetId")
        subnets = sorted((found.reply or {})["Subnets"], key=lambda one: one["AvailabilityZone"])
        if not subnets:
            raise NotCheckedError("needs a default subnet, and this Region has none")
        return str(subnets[0]["SubnetId"]), str(subnets[0]["VpcId"])


Undo = Callable[[Place], object]
"""Takes away what was made; raises what the SDK raises."""


def by(call: str, /, **params: Any) -> Undo:
    """Take away by one call."""
    return lambda place: place.call(call, **params)
