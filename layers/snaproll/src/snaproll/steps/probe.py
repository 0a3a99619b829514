"""What the watch tells a fleet's probe, and what it hears from it.

The state machine itself invokes the probe between two looks: no function waits for it, and none
of snaproll's functions may invoke somebody else's.
"""

from __future__ import annotations

import math

from snaproll.contracts.looks import ProbeCall, WatchRequest
from snaproll.domain.assessment import Assessment
from snaproll.domain.group import FleetView
from snaproll.domain.ledger import Phase
from snaproll.domain.probe import hear
from snaproll.domain.probe_contract import (
    MOST_INSTANCES,
    ProbedInstance,
    ProbedSnapshot,
    ProbeRequest,
)
from snaproll.errors import NotYetVisibleError
from snaproll.runtime import Runtime


def listen(request: WatchRequest, runtime: Runtime) -> WatchRequest:
    """The request with what was heard from the probe, if it was asked, in its memory."""
    probe = request.rollout.policy.health.probe
    if request.heard is None or probe is None or request.phase is not Phase.FORWARD:
        return request
    probing = hear(request.memory.probing, request.heard, probe, runtime.now())
    memory = request.memory.model_copy(update={"probing": probing})
    return request.model_copy(update={"memory": memory})


def question_of(
    request: WatchRequest, assessment: Assessment, view: FleetView | None, runtime: Runtime
) -> ProbeCall | None:
    """What the probe is to be asked, if the assessment is that it is due.

    Raises
    ------
    NotYetVisibleError
        EC2 does not show any of the new instances: it may be behind, or they have just gone.
    """
    probe = request.rollout.policy.health.probe
    if assessment.moment is None or probe is None or view is None:
        return None
    wanted = request.candidate.template
    serving = [
        one.id for one in view.group.instances if one.version == wanted and view.healthy(one)
    ]
    shown = serving[:MOST_INSTANCES]
    addresses = runtime.instances.addresses(shown)
    if not addresses:
        raise NotYetVisibleError(f"EC2 shows none of the {len(serving)} new instances.")
    return ProbeCall(
        function=probe.function,
        timeout_seconds=math.ceil(probe.timeout.total_seconds()),
        request=ProbeRequest(
            environment=runtime.settings.environment,
            fleet=request.rollout.fleet,
            snapshot=ProbedSnapshot(
                id=request.candidate.snapshot, data_time=request.candidate.data_time
            ),
            instances=[
                ProbedInstance(id=one, private_address=addresses[one])
                for one in shown
                if one in addresses
            ],
            instance_count=len(serving),
            moment=assessment.moment,
            execution=request.rollout.execution,
            attempt=assessment.attempt,
        ),
    )
