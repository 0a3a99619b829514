"""Making a writer stand still before its snapshot begins, and letting it go again.

The hook's contract is in docs/publishing.md: it may be called more than once with the same
publish, says ``pending`` when it needs longer, and lets the writer go by itself at the deadline.
"""

from __future__ import annotations

from snaproll.aws.hooks import HookAnswer, HookState
from snaproll.contracts.publish.announcements import event_of
from snaproll.contracts.publish.steps import HookCalled, HookRequest
from snaproll.domain.publishes import PublishClaim, WriterState
from snaproll.domain.publishing import noted
from snaproll.domain.writer import QuiesceHook
from snaproll.errors import WriterNotQuiescedError
from snaproll.runtime import Runtime
from snaproll.steps.publish.claim import proven

HOOK_VERSION = "1"
NOT_RESUMED = "Writer Not Resumed"


def quiesce_writer(request: HookRequest, runtime: Runtime) -> HookCalled:
    """Ask the hook to make the writer stand still; ``pending`` means: ask again.

    That the hook was called, and until when it may hold the writer, is written down before.

    Raises
    ------
    ClaimLostError
        The publish lost its claim.
    WriterNotQuiescedError
        The writer has no hook.
    """
    publish = request.publish
    hook = publish.policy.quiesce
    if hook is None:
        raise WriterNotQuiescedError(f"Writer {publish.writer} has no quiesce hook.")

    def transition(state: WriterState) -> WriterState:
        claim = proven(publish, state)
        if claim.hook_until is not None:
            return state
        return noted(state, claim, hook=hook, hook_until=runtime.now() + hook.limit)

    claim = proven(publish, runtime.writer_ledger.change(publish.writer, transition))
    if claim.hook_until is None or runtime.now() >= claim.hook_until:
        return HookCalled(
            message=f"Writer {publish.writer} did not stand still within its limit.",
            state="failed",
            command=None,
        )
    answer = _call(request, hook, claim, "quiesce", runtime)
    said = {
        HookState.DONE: f"Writer {publish.writer} stands still: {answer.message}.",
        HookState.PENDING: f"Writer {publish.writer} is about to stand still: {answer.message}.",
        HookState.FAILED: f"Writer {publish.writer} does not stand still: {answer.message}.",
    }
    return HookCalled(message=said[answer.state], state=answer.state.value, command=answer.command)


def resume_writer(request: HookRequest, runtime: Runtime) -> HookCalled:
    """Ask the hook to let the writer go; ``pending`` and ``failed`` mean: ask again.

    ``expired``: the hook's limit is over, and it has let go by itself or a person must look; that
    is told.

    Raises
    ------
    ClaimLostError
        The publish lost its claim.
    """
    publish = request.publish
    claim = proven(publish, runtime.writer_ledger.state(publish.writer))
    if claim.hook is None or claim.hook_until is None:
        return HookCalled(message="The writer runs.", state="done", command=None)
    # Not the parameter's: that may name another hook by now.
    answer = _call(request, claim.hook, claim, "resume", runtime)
    if answer.state is HookState.DONE:
        _forget(request, runtime)
        message = f"Writer {publish.writer} runs again: {answer.message}."
        return HookCalled(message=message, state="done", command=None)
    if runtime.now() < claim.hook_until:
        message = f"Writer {publish.writer} is not let go yet: {answer.message}."
        return HookCalled(
            message=message,
            state="failed" if answer.state is HookState.FAILED else "pending",
            command=answer.command,
        )
    message = (
        f"Writer {publish.writer} could not be told to go on: {answer.message}. By the hook's "
        f"contract it went on by itself at {claim.hook_until.isoformat()}: look whether it did."
    )
    told = event_of(runtime.settings.environment, publish.writer, publish.execution, message)
    runtime.announcements.publish(NOT_RESUMED, told)
    _forget(request, runtime)
    return HookCalled(message=message, state="expired", command=None)


def _forget(request: HookRequest, runtime: Runtime) -> None:
    def transition(state: WriterState) -> WriterState:
        return noted(state, proven(request.publish, state), hook_until=None)

    runtime.writer_ledger.change(request.publish.writer, transition)


def _call(
    request: HookRequest, hook: QuiesceHook, claim: PublishClaim, action: str, runtime: Runtime
) -> HookAnswer:
    publish = request.publish
    deadline = claim.hook_until.isoformat() if claim.hook_until else ""
    if hook.function is not None:
        return runtime.hooks.invoke(
            hook.function,
            {
                "version": HOOK_VERSION,
                "action": action,
                "environment": runtime.settings.environment,
                "writer": publish.writer,
                "publish": publish.id,
                "volume": claim.volume,
                "instance": claim.instance,
                "deadline": deadline,
            },
        )
    document, instance = hook.document or "", claim.instance or ""
    if request.command is not None:
        return runtime.hooks.ask(document, instance, request.command)
    parameters = {"Action": action, "Publish": publish.id, "Deadline": deadline}
    return runtime.hooks.send(document, instance, parameters)
