"""Runs executions: one state per step of the world's clock.

Sources: Amazon States Language specification; developer guide, "Workflow states", "Passing data
between states with variables", "Handling errors in Step Functions workflows", "Restarting state
machine executions with redrive".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from embedded.states import fields
from embedded.states.callbacks import Callback, Callbacks
from embedded.states.documents import Document, dump_members, joined
from embedded.states.execution import Execution, Position
from embedded.states.failures import (
    HEARTBEAT_TIMEOUT,
    NO_CHOICE_MATCHED,
    TIMEOUT,
    StateFailedError,
    data_limit_exceeded,
)
from embedded.states.integrations import TaskCall
from embedded.states.jsonata import Scope
from embedded.states.lifecycle import Lifecycle, given
from embedded.states.program import (
    ChoiceProgram,
    FailProgram,
    Shaping,
    StateProgram,
    TaskProgram,
    WaitProgram,
)
from embedded.states.scopes import Scopes

if TYPE_CHECKING:
    from embedded.world.world import World


class Interpreter:
    """Runs every execution of a world.

    Parameters
    ----------
    world
        Its clock, its dice and its services.
    changed
        Told of every change of an execution's status.
    doomed
        Tells whether a state machine is being deleted, which ends its executions at their next
        transition.
    """

    def __init__(
        self,
        world: World,
        changed: Callable[[Execution], None],
        doomed: Callable[[str], bool],
    ) -> None:
        self.callbacks = Callbacks(world)
        self._world = world
        self._doomed = doomed
        self._scopes = Scopes(world)
        self._life = Lifecycle(world, self.callbacks, changed)

    def start(self, execution: Execution) -> None:
        """Begin an execution."""
        self._life.start(execution, self._enter)

    def stop(self, execution: Execution, error: str | None, cause: str | None) -> None:
        """Abort an execution at whatever it is doing."""
        self._life.close(execution, "ABORTED", error, cause)

    def redrive(self, execution: Execution) -> None:
        """Go on with a closed execution at the state that failed.

        Its input and the variables are those that the state saw when it failed, its definition is
        the one that the execution started with, and retries and timeouts start anew. A Task is
        scheduled again without being entered again; a Fail state is entered again, and fails. What
        is undocumented: a Wait of some Seconds is waited for in full once more, and a Pass whose
        own expression failed evaluates it again.
        """
        position = execution.position
        position.retries = {}
        again = position.entered_at is not None and not isinstance(
            self._program(execution), FailProgram
        )
        self._life.reopen(execution, self._run if again else self._enter)

    # -- states ----------------------------------------------------------------------------------

    @staticmethod
    def _program(execution: Execution) -> StateProgram:
        return execution.machine.program.states[execution.position.state]

    def _enter(self, execution: Execution) -> None:
        if self._doomed(execution.machine.arn):
            self._life.close(execution, "ABORTED")
            return
        now = self._world.clock.now()
        position = execution.position
        event = execution.record(
            now,
            f"{self._program(execution).type}StateEntered",
            "stateEnteredEventDetails",
            name=position.state,
            input=position.input,
            inputDetails={"truncated": False},
        )
        position.entered_at, position.entered_event = now, event.id
        execution.transitions += 1
        self._run(execution)

    def _run(self, execution: Execution) -> None:
        program = self._program(execution)
        try:
            match program:
                case TaskProgram():
                    self._attempt(execution, program)
                case ChoiceProgram():
                    self._choose(execution, program)
                case WaitProgram():
                    self._wait(execution, program)
                case FailProgram():
                    scope = self._scopes.of(execution)
                    error, cause = (
                        fields.text(field, scope) for field in (program.error, program.cause)
                    )
                    self._life.fail(execution, error, cause)
                case _:
                    self._leave(execution, program.shaping, self._scopes.of(execution))
        except StateFailedError as failure:
            self._failed(execution, failure)

    def _choose(self, execution: Execution, program: ChoiceProgram) -> None:
        scope = self._scopes.of(execution)
        for branch in program.branches:
            if fields.boolean(branch.condition, scope):
                self._leave(execution, branch.shaping, scope, to=branch.next)
                return
        if program.next is None:
            raise StateFailedError(
                NO_CHOICE_MATCHED,
                "Failed to transition out of the state. The state does not point to a next state.",
            )
        self._leave(execution, program.shaping, scope)

    def _wait(self, execution: Execution, program: WaitProgram) -> None:
        scope = self._scopes.of(execution)
        seconds: float = 0
        if program.seconds is not None:
            seconds = fields.whole_seconds(program.seconds, scope)
        elif program.timestamp is not None:
            until = fields.moment(program.timestamp, scope)
            seconds = (until - self._world.clock.now()).total_seconds()
        if seconds > 0:
            self._life.soon(execution, self._wake, seconds)
        else:
            self._leave(execution, program.shaping, scope)

    def _wake(self, execution: Execution) -> None:
        shaping = self._program(execution).shaping
        try:
            self._leave(execution, shaping, self._scopes.of(execution))
        except StateFailedError as failure:
            self._failed(execution, failure)

    def _leave(
        self,
        execution: Execution,
        shaping: Shaping,
        scope: Scope,
        *,
        default: Document | None = None,
        to: str | None = None,
    ) -> None:
        """Leave a state: every expression sees the values at its entry, then the new ones hold.

        Parameters
        ----------
        default
            The output when the definition gives none; the state's input if this is None as well.
        to
            The next state, where it is not the one that the state's own Next or Default names.
        """
        program, position = self._program(execution), execution.position
        output = default or position.input
        if shaping.output is not None:
            value = shaping.output.fill(scope)
            if value is not output.value:
                output = position.input if value is position.input.value else Document(value)
        if not output.fits:
            raise data_limit_exceeded(program.name)
        assigned = fields.assigned(execution, program.name, shaping.assign, scope)
        details: dict[str, Any] = {"output": output, "outputDetails": {"truncated": False}}
        if assigned:
            details["assignedVariables"] = {name: new.text for name, new in assigned.items()}
            details["assignedVariablesDetails"] = {"truncated": False}
            execution.variables = {**execution.variables, **assigned}
        execution.record(
            self._world.clock.now(),
            f"{program.type}StateExited",
            "stateExitedEventDetails",
            name=program.name,
            **details,
        )
        target = to or program.next
        if target is None:
            execution.output = output
            self._life.succeed(execution)
        else:
            execution.position = Position(target, output)
            self._life.soon(execution, self._enter)

    # -- tasks -----------------------------------------------------------------------------------

    def _attempt(self, execution: Execution, program: TaskProgram) -> None:
        """Call the task's service once."""
        callback = self.callbacks.new(execution) if program.integration.waits else None
        try:
            scope = self._scopes.of(execution, token=callback.token if callback else None)
            filled = program.arguments.fill(scope)
            members = dump_members(filled) if isinstance(filled, dict) else {}
            arguments = Document(filled, joined(members) if members else None)
            if not arguments.fits:
                raise data_limit_exceeded(program.name)
            timeout = fields.timeout_seconds(program.timeout, scope)
            heartbeat = fields.timeout_seconds(program.heartbeat, scope)
            self._record(
                execution,
                "TaskScheduled",
                region=self._world.region,
                parameters=arguments,
                **given(timeoutInSeconds=timeout, heartbeatInSeconds=heartbeat),
            )
            self._record(execution, "TaskStarted")
            seconds = program.integration.seconds(self._world, arguments.value)
            result = self._call(execution, program, arguments, members, callback)
            if isinstance(result, StateFailedError) and seconds == 0:
                raise self._told_failed(execution, result)
        except StateFailedError:
            if callback is not None:
                self.callbacks.close(callback)
            raise
        if result is None:
            return
        if isinstance(result, StateFailedError) or seconds > 0:
            self._hear_later(execution, result, seconds, timeout)
            return
        if callback is None:
            self._succeeded(execution, result)
            return
        self._record(execution, "TaskSubmitted", output=result)
        callback.submitted = True
        if callback.answer is not None:
            self._answered(callback, callback.answer)
            return
        if timeout is not None:
            self._life.soon(execution, lambda _: self._expire(callback), timeout)
        callback.heartbeat_seconds = heartbeat
        self.beat(callback)

    def _call(
        self,
        execution: Execution,
        program: TaskProgram,
        arguments: Document,
        members: dict[str, str],
        callback: Callback | None,
    ) -> Document | StateFailedError | None:
        """Call the service; None when the execution was closed from inside the call."""
        life = execution.lives
        call = TaskCall(
            self._world,
            arguments.value,
            members,
            execution.arn,
            execution.machine.arn,
            f"states:{execution.machine.name}",
            execution.machine.role_arn,
        )
        try:
            result = Document(program.integration.call(call))
            if not result.fits:
                raise data_limit_exceeded(program.name)
        except StateFailedError as failure:
            if execution.lives != life:
                return None
            if callback is not None and callback.answer is not None:
                # The token was answered first; how the call itself ended matters to nobody.
                return Document({})
            return failure
        return result if execution.lives == life else None

    def _hear_later(
        self,
        execution: Execution,
        result: Document | StateFailedError,
        seconds: float,
        timeout: int | None,
    ) -> None:
        """Let the answer of a slow service come when it is there, or the task's timeout first.

        The service goes on after that timeout, and nobody hears of it.
        """
        told_as = "TaskFailed"
        if timeout is not None and timeout <= seconds:
            seconds, result, told_as = timeout, StateFailedError(TIMEOUT, None), "TaskTimedOut"
        self._life.soon(
            execution, lambda _: self._heard(execution, result, told_as=told_as), seconds
        )

    def answer(self, callback: Callback, answer: Document | StateFailedError) -> None:
        """Take the answer to a task token, from SendTaskSuccess or SendTaskFailure."""
        if callback.submitted:
            self._life.run(callback.execution, lambda _: self._answered(callback, answer))
        else:
            callback.answer = answer  # the call that handed the token over still runs

    def beat(self, callback: Callback) -> None:
        """Start the heartbeat's clock anew."""
        if callback.heartbeat is not None:
            callback.heartbeat.cancel()
        if callback.submitted and callback.heartbeat_seconds is not None:
            self._life.soon(
                callback.execution,
                lambda _: self._expire(callback, HEARTBEAT_TIMEOUT),
                callback.heartbeat_seconds,
            )
            callback.heartbeat = callback.execution.timers[-1]

    def _expire(self, callback: Callback, *names: str) -> None:
        # Both kinds are told as States.Timeout, without a cause; rules may name either.
        failure = StateFailedError(TIMEOUT, None, also=names)
        self._answered(callback, failure, told_as="TaskTimedOut")

    def _answered(
        self,
        callback: Callback,
        answer: Document | StateFailedError,
        *,
        told_as: str = "TaskFailed",
    ) -> None:
        self.callbacks.close(callback)
        self._heard(callback.execution, answer, told_as=told_as)

    def _heard(
        self, execution: Execution, answer: Document | StateFailedError, *, told_as: str
    ) -> None:
        """Go on with a task whose answer came later than its call."""
        try:
            if isinstance(answer, StateFailedError):
                raise self._told_failed(execution, answer, told_as)
            self._succeeded(execution, answer)
        except StateFailedError as failure:
            self._failed(execution, failure)

    def _told_failed(
        self, execution: Execution, failure: StateFailedError, told_as: str = "TaskFailed"
    ) -> StateFailedError:
        """Put a task's failure into the history."""
        self._record(execution, told_as, **given(error=failure.error, cause=failure.cause))
        return failure

    def _succeeded(self, execution: Execution, result: Document) -> None:
        self._record(execution, "TaskSucceeded", output=result)
        scope = self._scopes.of(execution, result=result)
        self._leave(execution, self._program(execution).shaping, scope, default=result)

    def _record(self, execution: Execution, kind: str, **details: Any) -> None:
        """Put an event of a task into the history."""
        program = self._program(execution)
        if not isinstance(program, TaskProgram):
            raise TypeError(f"{program.name} is no Task")
        if "output" in details:
            details["outputDetails"] = {"truncated": False}
        execution.record(
            self._world.clock.now(),
            kind,
            f"{kind[0].lower()}{kind[1:]}EventDetails",
            resourceType=program.integration.resource_type,
            resource=program.integration.resource,
            **details,
        )

    # -- failures --------------------------------------------------------------------------------

    def _failed(self, execution: Execution, failure: StateFailedError) -> None:
        """Retry, catch, or fail the execution."""
        program = self._program(execution)
        cause = self._told(execution, failure)
        if isinstance(program, TaskProgram):
            if self._retry(execution, program, failure):
                return
            for rule in program.catchers:
                if failure.matches(rule.errors):
                    # A missing cause (timeouts) is an empty one here.
                    output = Document({"Error": failure.error, "Cause": cause or ""})
                    scope = self._scopes.of(execution, error_output=output)
                    try:
                        self._leave(execution, rule.shaping, scope, default=output, to=rule.next)
                    except StateFailedError as second:
                        self._life.fail(execution, second.error, self._told(execution, second))
                    return
        self._life.fail(execution, failure.error, cause)

    def _told(self, execution: Execution, failure: StateFailedError) -> str | None:
        """Give the cause that operators read, and put a failed expression into the history."""
        position = execution.position
        if failure.location is None and failure.error != NO_CHOICE_MATCHED:
            return failure.cause
        cause = (
            f"An error occurred while executing the state '{position.state}' (entered at the event "
            f"id #{position.entered_event}). {failure.cause}"
        )
        if failure.location is not None:
            execution.record(
                self._world.clock.now(),
                "EvaluationFailed",
                "evaluationFailedEventDetails",
                state=position.state,
                error=failure.error,
                cause=cause,
                location=failure.location,
            )
        return cause

    def _retry(self, execution: Execution, program: TaskProgram, failure: StateFailedError) -> bool:
        """Schedule another attempt, if the first rule that matches has any left."""
        retries = execution.position.retries
        for index, rule in enumerate(program.retriers):
            if not failure.matches(rule.errors):
                continue
            used = retries.get(index, 0)
            if used >= rule.max_attempts:
                return False
            delay = rule.delay_seconds(used)
            if rule.full_jitter:
                delay = self._world.random.uniform(0, delay)
            retries[index] = used + 1
            execution.transitions += 1
            self._life.soon(execution, self._run, delay)
            return True
        return False
