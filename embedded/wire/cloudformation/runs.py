"""Carries out creates, updates and deletes of stacks, one resource after the other, in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from embedded.deploy.assembly import Assembly, Happening, all_removed
from embedded.deploy.errors import DeploymentError
from embedded.deploy.site import Site
from embedded.wire.cloudformation.records import StackRecord, Wanted

if TYPE_CHECKING:
    from datetime import datetime

    from embedded.world.world import World

STEP_SECONDS: Final = 1.0
"""Emulated time from one step to the next. AWS makes some resources at once; here each waits."""
WAIT_SECONDS: Final = 5.0
"""Emulated time until a resource that takes long to delete is looked at again."""


class Runs:
    """Starts what is done to stacks."""

    def __init__(self, world: World, site_of: Callable[[StackRecord], Site]) -> None:
        self._world = world
        self._site_of = site_of

    def create(self, record: StackRecord, wanted: Wanted) -> None:
        """Make a new stack."""
        record.wanted = wanted
        record.tell(self._now(), "CREATE_IN_PROGRESS", "User Initiated")
        assembly = self._assembly(record, wanted)

        def failed(why: str) -> None:
            if record.keep_failed:
                record.tell(self._now(), "CREATE_FAILED", why)
                return
            record.tell(self._now(), "ROLLBACK_IN_PROGRESS", why)
            self._walk(
                record,
                assembly.undo(),
                done=lambda: rolled_back(why),
                failed=lambda worse: record.tell(self._now(), "ROLLBACK_FAILED", worse),
            )

        def rolled_back(why: str) -> None:
            if record.delete_failed:
                self._deleted(record)
            else:
                record.tell(self._now(), "ROLLBACK_COMPLETE", why)

        self._walk(
            record,
            assembly.carry_out(),
            done=lambda: record.tell(self._now(), "CREATE_COMPLETE"),
            failed=failed,
        )

    def update(self, record: StackRecord, wanted: Wanted) -> None:
        """Change a stack; when that fails, change it back."""
        before, outputs = record.wanted, dict(record.built.outputs)
        record.wanted = wanted
        record.updated_at = self._now()
        record.tell(self._now(), "UPDATE_IN_PROGRESS", "User Initiated")
        assembly = self._assembly(record, wanted)

        def carried_out() -> None:
            record.tell(self._now(), "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            # What cannot be removed stays, and does not make the update a failed one.
            self._walk(record, assembly.clean_up(), done=cleaned_up, failed=lambda _: cleaned_up())

        def cleaned_up() -> None:
            record.tell(self._now(), "UPDATE_COMPLETE")

        def failed(why: str) -> None:
            record.tell(self._now(), "UPDATE_ROLLBACK_IN_PROGRESS", why)
            record.wanted = before
            self._walk(
                record,
                assembly.undo(),
                done=undone,
                failed=lambda worse: record.tell(self._now(), "UPDATE_ROLLBACK_FAILED", worse),
            )

        def undone() -> None:
            record.built.outputs.clear()
            record.built.outputs.update(outputs)
            record.tell(self._now(), "UPDATE_ROLLBACK_COMPLETE")

        self._walk(record, assembly.carry_out(), done=carried_out, failed=failed)

    def delete(self, record: StackRecord) -> None:
        """Delete a stack, ending whatever else is being done to it."""
        if record.stop is not None:
            record.stop()
        record.tell(self._now(), "DELETE_IN_PROGRESS", "User Initiated")
        self._walk(
            record,
            all_removed(self._site_of(record)),
            done=lambda: self._deleted(record),
            failed=lambda why: record.tell(self._now(), "DELETE_FAILED", why),
        )

    def _deleted(self, record: StackRecord) -> None:
        record.deleted_at = self._now()
        record.tell(self._now(), "DELETE_COMPLETE")

    def _assembly(self, record: StackRecord, wanted: Wanted) -> Assembly:
        return Assembly(self._site_of(record), wanted.plan, wanted.values, record.id)

    def _now(self) -> datetime:
        return self._world.clock.now()

    def _walk(
        self,
        record: StackRecord,
        steps: Iterator[Happening],
        *,
        done: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        """Take one step after the other, until they end or one fails."""
        last: list[Happening] = []

        def step() -> None:
            record.stop = None
            try:
                happening = next(steps, None)
            except DeploymentError as error:
                self._note_failure(record, last[-1] if last else None, error)
                failed(str(error))
                return
            if happening is None:
                done()
                return
            again = happening.waiting and last[-1:] == [happening]
            if not again:
                self._note(record, happening)
            last.append(happening)
            later(WAIT_SECONDS if again else STEP_SECONDS)

        def later(seconds: float) -> None:
            record.stop = self._world.clock.after(
                seconds, f"CloudFormation goes on with {record.name}", step
            ).cancel

        later(STEP_SECONDS)

    def _note(self, record: StackRecord, one: Happening) -> None:
        record.note(self._now(), one.logical_id, one.physical_id, one.type, one.status, one.reason)

    def _note_failure(
        self, record: StackRecord, last: Happening | None, error: DeploymentError
    ) -> None:
        if last is not None and last.status.endswith("_IN_PROGRESS"):
            status = last.status.replace("_IN_PROGRESS", "_FAILED")
            record.note(
                self._now(), last.logical_id, last.physical_id, last.type, status, str(error)
            )
