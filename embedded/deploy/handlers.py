"""Binds snaproll's handlers to a world: its clients, its clock, its settings.

Apart from the deployer, which deploys other people's templates too and does not need the layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from logging import getLevelName
from typing import TYPE_CHECKING

from embedded import direct
from snaproll import settings
from snaproll.runtime import Runtime, use

if TYPE_CHECKING:
    from embedded.world.awslambda import FunctionSpec
    from embedded.world.world import World

_OWN_VARIABLE = "SNAPROLL_ENVIRONMENT"
"""What the control plane's template sets on each of its functions."""
_LOG_LEVEL = "POWERTOOLS_LOG_LEVEL"
_DEFAULT_LOG_LEVEL = "INFO"
"""What Powertools logs from when that variable is not set."""


def bind_handlers(world: World, *, check_replies: bool = True, check_requests: bool = True) -> None:
    """Let every handler that runs in ``world`` see that world instead of AWS."""
    world.awslambda.around = _around(
        world, check_replies=check_replies, check_requests=check_requests
    )


def _around(
    world: World, *, check_replies: bool, check_requests: bool
) -> Callable[[FunctionSpec], AbstractContextManager[None]]:
    warm: dict[str, tuple[FunctionSpec, Runtime]] = {}

    def runtime_of(spec: FunctionSpec) -> Runtime:
        """What a function's environment keeps from one run to the next, as on Lambda."""
        known = warm.get(spec.name)
        if known is not None and known[0] is spec:
            return known[1]

        def calling(attempts: int) -> direct.DirectSession:
            return direct.DirectSession(
                world,
                spec.logical_id,
                attempts,
                check_replies=check_replies,
                check_requests=check_requests,
                role=spec.role_arn,
            )

        made = Runtime(
            settings=settings.from_env(os.environ),
            client=calling(direct.SDK_ATTEMPTS).client,
            client_once=calling(1).client,
            now=world.clock.now,
        )
        warm[spec.name] = (spec, made)
        return made

    def around(spec: FunctionSpec) -> AbstractContextManager[None]:
        if _OWN_VARIABLE not in spec.environment:
            # Somebody else's function, such as a fleet's probe: nothing of snaproll is in it.
            return nullcontext()
        runtime = runtime_of(spec)
        # On Lambda a process serves one function and has its logger to itself.
        level = spec.environment.get(_LOG_LEVEL, _DEFAULT_LOG_LEVEL)
        if runtime.logger.log_level != getLevelName(level):
            runtime.logger.setLevel(level)
        return use(runtime)

    return around
