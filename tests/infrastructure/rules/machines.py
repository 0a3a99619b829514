"""What the rules are told of each state machine, and what limits the values that move in them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Final

from snaproll.domain.assessment import MOST_TRIED
from snaproll.domain.fleet import FleetPolicy
from snaproll.domain.handover import MOST_LOOKS
from snaproll.domain.probe_contract import LONGEST_REASON
from snaproll.domain.writer import LONGEST_COMPLETION, LONGEST_LIMIT, WriterPolicy
from snaproll.steps.publish.snapshot import LONGEST_WAIT
from tests.infrastructure.rules.kinds import ESCAPED, Limits
from tests.infrastructure.rules.machine import Claims, Machine
from tools.definition import FOLDER, read

RACES: Final = 10
"""How often at most somebody else comes in between two states that follow at once. Each time
another writer must be faster than a second, or a group must be scaled to nothing, or from it."""


def rollout(definition: dict[str, Any] | None = None) -> Machine:
    """The rollout."""
    definition = definition or read()
    patience: int = definition["States"]["PlanRollout"]["Assign"]["patience"]
    most_moments = 101
    return Machine(
        definition,
        Claims(
            held_from="FindPlace",
            released_by="ReleaseFleet",
            # Another execution has it then, by the ledger: there is nothing to give back.
            left_by={"Superseded": "ClaimLostError", "HandedOver": "HandOver"},
        ),
        visits={
            # Again after a stale plan.
            "PlanRollout": RACES,
            "InspectFleet": patience + 1,
            # The group lost its instances, or got some, while a release was being staged.
            "StartRefresh": RACES,
            # Whoever has looked so often hands over instead of waiting; looks that ask the probe
            # may come in between, one for each of 100 checkpoints and for the end of the bake.
            "WatchHealth": MOST_LOOKS + most_moments,
            # Going back is never answered by going back; it may be taken over by a second one.
            "RollBack": 2,
        },
    )


def publish(definition: dict[str, Any] | None = None) -> Machine:
    """The publish."""
    definition = definition or read(FOLDER / "publish.asl.yaml")
    pause = timedelta(seconds=definition["States"]["WaitForQuiesce"]["Seconds"])
    asked = math.ceil(LONGEST_LIMIT / pause) + 1
    first_looks = 20
    return Machine(
        definition,
        Claims(
            held_from="FindPlace",
            released_by="FinishPublish",
            # Another execution has it then, or recovery gives it to one.
            left_by={"Superseded": "ClaimLostError", "Interrupted": "GoOn"},
        ),
        visits={
            # Until the hook's limit is over, which is kept over both.
            "QuiesceWriter": asked,
            "ResumeWriter": asked,
            "InspectWriter": 1,
            # At the longest pace until it is given up, and more often in the beginning.
            "InspectSnapshot": math.ceil(LONGEST_COMPLETION / LONGEST_WAIT) + first_looks,
        },
    )


MACHINES: Final = {"rollout": rollout, "publish": publish}
"""Every state machine of the stack; a new one is held to the rules by its entry here."""

PARAMETER: Final = 8 * 1024
"""Bytes of a parameter's value at most, in the advanced tier (Systems Manager user guide, "Managing
parameter tiers"); what is absent from a fleet's is filled in."""
FILLED_IN: Final = 1024
NAMES: Final = 300
"""Bytes of an id, a name or an ARN, with their quotes; AWS allows 256 characters at most."""
MOST_INSTANCES: Final = 2_000
"""New instances of a fleet of 1,000, which may be doubled while it is refreshed."""
MOST_CHECKS: Final = 25
"""Checks of the gate or of the preflight, whichever has more."""
OWN_WORDS: Final = 600
"""Bytes of a check besides what it quotes from the fleet's parameter."""
QUOTING: Final = 2
"""How often the checks of one report quote each part of the fleet's parameter at most: the gate
tags and owners once, the preflight alarms as missing and as not OK."""
CHECKS: Final = MOST_CHECKS * OWN_WORDS + QUOTING * PARAMETER
PERSON: Final = 1_000 * ESCAPED + 2
"""Bytes of a reason that a person gave."""
SENTENCE: Final = 2 * PARAMETER
"""Bytes of a verdict with its reasons: alarms' or a probe's words, AWS's of failed launches, and
twenty instances."""

LIMITS: Final = Limits(
    models=dict.fromkeys((FleetPolicy, WriterPolicy), PARAMETER + FILLED_IN),
    texts={
        **dict.fromkeys(
            (
                *("Rollout.fleet", "Rollout.snapshot", "Rollout.execution", "Ended.fleet"),
                *("Ended.snapshot", "OperatorRequest.fleet", "OperatorRequest.lift_quarantine"),
                *("Release.snapshot", "RollbackTarget.snapshot", "TemplateVersion.template_id"),
                *("RefreshNote.id", "Check.name", "ProbeCall.function", "ProbeRequest.fleet"),
                *("Publish.writer", "Publish.id", "Publish.execution", "PublishEnded.writer"),
                *("PublishEnded.snapshot", "WriterClaimed.snapshot", "SnapshotBegun.snapshot"),
                *("WriterReport.volume", "WriterReport.instance", "HookCalled.command"),
                *("ProbeRequest.environment", "ProbeRequest.execution", "ProbedSnapshot.id"),
            ),
            NAMES,
        ),
        "Memory.serving": MOST_INSTANCES * len('"i-0123456789abcdef0",'),
        "Memory.tried": MOST_TRIED * len('"i-0123456789abcdef0",'),
        "Memory.alarms_before": PARAMETER,
        # An id and an address.
        "ProbedInstance.id": len('"i-0123456789abcdef0"'),
        "ProbedInstance.private_address": len('"255.255.255.255"'),
        **dict.fromkeys(("Rollout.reason", "Rollout.by_hand", "Rollout.no_rollback"), PERSON),
        "Probing.said": LONGEST_REASON * ESCAPED,
        "Memory.target_lost": SENTENCE,
        "RollbackTarget.lost": SENTENCE,
        "Assessment.reason": SENTENCE,
        "Claimed.why": SENTENCE,
        "Claimed.message": SENTENCE,
        "Recorded.message": SENTENCE,
        "RefreshStarted.message": SENTENCE,
        "ReleaseStaged.message": SENTENCE,
        "TemplateUpdated.message": SENTENCE,
        "Plan.message": SENTENCE,
        "WriterClaimed.message": SENTENCE,
        "WriterClaimed.stop": SENTENCE,
        "HookCalled.message": SENTENCE,
        "SnapshotBegun.message": SENTENCE,
        "SnapshotInspected.message": SENTENCE,
        # What fleets select by, each of them by twenty tags at most: a snapshot has fifty.
        "WriterReport.tags": 50 * 2 * NAMES,
        "PublishEnded.message": CHECKS,
        # As many as there are in an environment, with names of 40 characters.
        "PublishEnded.fleets": 500 * 44,
        "Plan.checks": 2 * CHECKS,
        "Report.checks": CHECKS,
        # It joins the reasons of all that failed.
        "Report.message": CHECKS,
        "Ended.message": CHECKS,
        "Preview.message": 2 * CHECKS,
        "Preview.changes": 4 * 1024,
        "Preview.on_failure": SENTENCE,
        # A step for each checkpoint.
        "Preview.steps": 100 * NAMES,
    },
    counts={},
)
"""What no annotation limits, and why it is limited all the same."""
