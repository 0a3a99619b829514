"""Carries instance refreshes from their start to their end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from embedded.world.autoscaling.groups import HEALTHY, TERMINATING, Group
from embedded.world.autoscaling.groups import PENDING as INSTANCE_PENDING
from embedded.world.autoscaling.launching import REFRESH
from embedded.world.autoscaling.pacing import PERCENT, Bounds, next_step, share_rounded_up
from embedded.world.autoscaling.refresh import (
    BAKING,
    CANCELLED,
    CANCELLING,
    EVENTS,
    FAILED,
    FORWARD,
    IN_PROGRESS,
    REPLACING,
    ROLLBACK_FAILED,
    ROLLBACK_IN_PROGRESS,
    ROLLBACK_SUCCESSFUL,
    SUCCESSFUL,
    InstanceRefresh,
    Progress,
    Rollback,
)
from embedded.world.autoscaling.survey import Survey, Surveyor

if TYPE_CHECKING:
    from embedded.world.autoscaling.upkeep import Upkeep
    from embedded.world.world import World

PENDING_SECONDS = 5
"""From the request to InProgress. AWS gives no figure."""
PATIENCE = timedelta(hours=1)
"""How long a refresh keeps trying, or waits for protection to be removed, before it fails."""
LONGEST = timedelta(days=14)
"""How long a refresh may replace instances."""
ALARM_NOTICE_SECONDS = 30.0
"""From an alarm's change to the refresh's notice. AWS gives no figure; at once would be kindest."""


class Conductor:
    """Decides what each active refresh does next; called after every change of its group."""

    def __init__(self, world: World, keeper: Upkeep, settle: Callable[[Group], None]) -> None:
        self._world = world
        self._upkeep = keeper
        self._settle = settle
        self._surveyor = Surveyor(world.ec2)
        self._watching: dict[InstanceRefresh, Group] = {}
        """The active refreshes that name alarms."""
        self.alarm_notice_seconds = ALARM_NOTICE_SECONDS
        self.pending_seconds: float = PENDING_SECONDS
        world.cloudwatch.watch(self._alarm_news)

    def progress(self, group: Group, refresh: InstanceRefresh) -> Progress:
        """How far a refresh is."""
        return self._surveyor.progress(group, refresh, self._world.clock.now())

    # -- from outside ------------------------------------------------------------------------------

    def begin(self, group: Group, refresh: InstanceRefresh) -> None:
        """Take up a refresh that was accepted."""
        group.refreshes.append(refresh)
        if refresh.preferences.alarms:
            self._watching[refresh] = group
        self._timer(group, refresh, "start", timedelta(seconds=self.pending_seconds), self._start)

    def cancel(self, group: Group, refresh: InstanceRefresh, *, wait: bool) -> None:
        """Stop replacing; what was replaced stays so."""
        if wait:
            self._stop_timers(refresh)
            refresh.status = CANCELLING
            refresh.in_flight = {
                member.id: member.lifecycle
                for member in group.members(INSTANCE_PENDING, TERMINATING)
            }
            refresh.reason = "Cancelling the instance refresh: waiting for transitioning instances."
            self._settle(group)
        else:
            self._end(group, refresh, CANCELLED, "Cancelled by a user request.")

    def roll_back(self, group: Group, refresh: InstanceRefresh, reason: str) -> None:
        """Go back to the saved configuration, under the same id."""
        progress = self.progress(group, refresh)
        self._stop_timers(refresh)
        refresh.rollback = Rollback(
            reason,
            self._world.clock.now(),
            progress.percentage_complete,
            progress.instances_to_update,
        )
        refresh.failing_since = refresh.waiting_since = refresh.held_until = None
        refresh.started = refresh.started or self._world.clock.now()
        self._enter(group, refresh, ROLLBACK_IN_PROGRESS, reason)
        self._upkeep.launcher.forget_failures(group)
        self._timer(group, refresh, "limit", LONGEST, self._too_long)
        self._settle(group)

    # -- the status machine ------------------------------------------------------------------------

    def _start(self, group: Group, refresh: InstanceRefresh) -> None:
        refresh.started = self._world.clock.now()
        self._enter(group, refresh, IN_PROGRESS, "")
        self._upkeep.launcher.forget_failures(group)
        self._timer(group, refresh, "limit", LONGEST, self._too_long)
        survey = self._survey(group, refresh)
        refresh.largest_desired = group.desired
        # Checkpoints that skip matching has passed already are nothing to wait for.
        refresh.passed_checkpoint = _reached(refresh, survey.percentage)
        if survey.finished:
            # Nothing to replace: successful at once (user guide, skip matching). The same for a
            # group without instances, which AWS does not document; assumed.
            self._end(group, refresh, SUCCESSFUL, "Nothing to replace.")
        self._settle(group)

    def advance(self, group: Group) -> None:
        """Do what the group's active refresh can do now."""
        refresh = group.refresh
        if refresh is None:
            return
        if refresh.status == CANCELLING:
            self._wind_down(group, refresh)
        elif "InstanceRefresh" in group.suspended:
            # Paused, not cancelled: nothing is replaced, and nobody loses patience meanwhile.
            self._lose_no_patience(refresh)
        elif refresh.status in REPLACING:
            self._replace(group, refresh)
        elif refresh.status == BAKING and "bake" not in refresh.timers:
            self._end(group, refresh, SUCCESSFUL, "")

    def _wind_down(self, group: Group, refresh: InstanceRefresh) -> None:
        group.extra = max(0, min(group.extra, len(group.live_members()) - group.desired))
        # Only what was in flight when it was cancelled: replacing unhealthy instances goes on.
        if not any(
            instance_id in group.instances and group.instances[instance_id].lifecycle == lifecycle
            for instance_id, lifecycle in refresh.in_flight.items()
        ):
            self._end(group, refresh, CANCELLED, "Cancelled by a user request.")

    def _replace(self, group: Group, refresh: InstanceRefresh) -> None:
        survey = self._survey(group, refresh)
        self._note_failing(group, refresh, survey)
        if refresh.status == IN_PROGRESS:
            self._note_checkpoint(group, refresh, survey)
        self._note_waiting(group, refresh, survey)
        if self._complete(refresh, survey):
            self._complete_replacing(group, refresh)
        else:
            self._replace_some(group, refresh, survey)

    def _complete(self, refresh: InstanceRefresh, survey: Survey) -> bool:
        if refresh.held_until is not None:
            return False
        if survey.finished:
            return True
        checkpoints = refresh.preferences.checkpoints
        # A last checkpoint below 100 is where the refresh stops (botocore, RefreshPreferences).
        # Which status it then has is not documented; Successful is the one that deceives most.
        return bool(
            refresh.status == IN_PROGRESS
            and checkpoints
            and refresh.passed_checkpoint == checkpoints[-1] < PERCENT
            and not survey.leaving
            and len(survey.up_to_date) == len(survey.ready)
        )

    def _complete_replacing(self, group: Group, refresh: InstanceRefresh) -> None:
        group.extra = 0
        if refresh.status == ROLLBACK_IN_PROGRESS:
            self._end(group, refresh, ROLLBACK_SUCCESSFUL, "The rollback completed.")
        elif refresh.preferences.bake:
            # What an alarm said a moment ago still counts.
            self._stop_timers(refresh, but="alarm")
            self._enter(group, refresh, BAKING, "Waiting for the bake time to elapse.")
            self._timer(group, refresh, "bake", refresh.preferences.bake, self._baked)
        else:
            self._end(group, refresh, SUCCESSFUL, "")

    def _baked(self, group: Group, refresh: InstanceRefresh) -> None:
        # AWS does not say that missing alarm data prolongs the bake, so it does not.
        self._stop(refresh, "bake")
        self._settle(group)

    def _fail(self, group: Group, refresh: InstanceRefresh, reason: str) -> None:
        if refresh.status == ROLLBACK_IN_PROGRESS:
            self._end(group, refresh, ROLLBACK_FAILED, reason)
        elif refresh.status in FORWARD and refresh.preferences.auto_rollback:
            self.roll_back(group, refresh, reason)
        elif refresh.status in FORWARD:
            self._end(group, refresh, FAILED, reason)
        self._settle(group)

    def _too_long(self, group: Group, refresh: InstanceRefresh) -> None:
        self._fail(group, refresh, f"The instance refresh took longer than {LONGEST.days} days.")

    def _enter(self, group: Group, refresh: InstanceRefresh, status: str, reason: str) -> None:
        refresh.status, refresh.reason = status, reason or None
        if status in EVENTS:
            self._emit(group, refresh, EVENTS[status], {})

    def _end(self, group: Group, refresh: InstanceRefresh, status: str, reason: str) -> None:
        refresh.final = self.progress(group, refresh)
        if status == SUCCESSFUL and refresh.desired is not None:
            # Exactly as passed: a number stays a number (botocore, StartInstanceRefresh).
            group.saved = refresh.desired
        self._stop_timers(refresh)
        self._watching.pop(refresh, None)
        refresh.ended = self._world.clock.now()
        group.extra = 0
        self._enter(group, refresh, status, reason)
        self._upkeep.launcher.forget_failures(group)
        self._settle(group)

    def _emit(
        self, group: Group, refresh: InstanceRefresh, what: str, more: dict[str, str]
    ) -> None:
        self._world.events.emit(
            "aws.autoscaling",
            f"EC2 Auto Scaling Instance Refresh {what}",
            {"InstanceRefreshId": refresh.id, "AutoScalingGroupName": group.name, **more},
            [group.arn],
        )

    # -- replacing ---------------------------------------------------------------------------------

    def _survey(self, group: Group, refresh: InstanceRefresh) -> Survey:
        now = self._world.clock.now()
        survey = self._surveyor.survey(group, refresh, now)
        self._wake_when_warm(group, refresh)
        return survey

    def _replace_some(self, group: Group, refresh: InstanceRefresh, survey: Survey) -> None:
        obstacle = self._obstacle(group, refresh)
        if obstacle is not None:
            refresh.reason = obstacle
            return
        for member in survey.standby:
            self._upkeep.terminate(group, member, REFRESH)
        step = next_step(survey.census(), _bounds(group, refresh), self._limit(refresh, survey))
        leaving = (
            survey.old_failing[: step.terminate_failing]
            + survey.old_warming[: step.terminate_warming]
            + survey.old_ready[: step.terminate_ready]
        )
        surplus = max(0, survey.census().live - group.desired)
        group.extra = step.extra
        for number, member in enumerate(leaving):
            vacancy = None if number < surplus else REFRESH
            self._upkeep.terminate(group, member, REFRESH, vacancy=vacancy)
        refresh.reason = self._waiting_for(refresh, survey)

    def _obstacle(self, group: Group, refresh: InstanceRefresh) -> str | None:
        """Why nothing may be replaced at the moment."""
        for process in ("Launch", "Terminate"):
            if process in group.suspended:
                return f"The {process} process is suspended."
        if refresh.status == IN_PROGRESS:
            for name in refresh.preferences.alarms:
                if self._world.cloudwatch.alarm_state(name) == "INSUFFICIENT_DATA":
                    return f"Waiting for the CloudWatch alarm {name} to have sufficient data."
        return None

    def _limit(self, refresh: InstanceRefresh, survey: Survey) -> int:
        """How many instances may be up to date before the next pause."""
        if refresh.status != IN_PROGRESS or not refresh.preferences.checkpoints:
            return survey.total
        if refresh.held_until is not None:
            return min(len(survey.up_to_date), survey.total)
        ahead = [
            percent
            for percent in refresh.preferences.checkpoints
            if percent > refresh.passed_checkpoint
        ]
        return share_rounded_up(ahead[0] if ahead else refresh.passed_checkpoint, survey.total)

    def _waiting_for(self, refresh: InstanceRefresh, survey: Survey) -> str | None:
        if refresh.held_until is not None:
            return f"Waiting at the {refresh.passed_checkpoint} percent checkpoint."
        unready = [member for member in survey.up_to_date if member not in survey.ready]
        for member in unready:
            if member.in_service_at is not None and member.passing_targets:
                return (
                    "Waiting for instances to warm up before continuing. "
                    f"For example: {member.id} is warming up."
                )
        for member in unready:
            return (
                "Waiting for remaining instances to be available. For example: "
                f"{member.id} has insufficient data to evaluate its health."
            )
        for member in survey.awaited:
            return (
                "Waiting for remaining instances to be available. For example: "
                f"{member.id} is protected from scale in or in standby."
            )
        return refresh.rollback.reason if refresh.rollback is not None else None

    # -- checkpoints -------------------------------------------------------------------------------

    def _note_checkpoint(self, group: Group, refresh: InstanceRefresh, survey: Survey) -> None:
        if group.desired > refresh.largest_desired:
            # After a scale-out a checkpoint can be reached again (user guide, checkpoints).
            refresh.largest_desired = group.desired
            refresh.passed_checkpoint = min(
                refresh.passed_checkpoint, _reached(refresh, survey.percentage)
            )
        reached = _reached(refresh, survey.percentage)
        if reached <= refresh.passed_checkpoint:
            return
        refresh.passed_checkpoint = reached
        if reached == PERCENT:
            return
        delay = refresh.preferences.checkpoint_delay
        self._emit(
            group,
            refresh,
            "Checkpoint Reached",
            {
                "CheckpointPercentage": str(reached),
                "CheckpointDelay": str(int(delay.total_seconds())),
            },
        )
        refresh.held_until = self._world.clock.now() + delay
        self._timer(group, refresh, "checkpoint", delay, self._go_on)

    def _go_on(self, group: Group, refresh: InstanceRefresh) -> None:
        refresh.held_until = None
        self._settle(group)

    # -- patience ----------------------------------------------------------------------------------

    def _lose_no_patience(self, refresh: InstanceRefresh) -> None:
        refresh.failing_since = refresh.waiting_since = None
        self._stop(refresh, "failing")
        self._stop(refresh, "waiting")

    def _note_failing(self, group: Group, refresh: InstanceRefresh, survey: Survey) -> None:
        """Start or end the hour in which a refresh keeps trying although nothing comes of it."""
        if refresh.failing_since is not None and len(survey.ready) > refresh.failing_above:
            refresh.failing_since = None
            self._stop(refresh, "failing")
        if refresh.failing_since is not None or not self._failing(group, refresh, survey):
            return
        refresh.failing_since = self._world.clock.now()
        refresh.failing_above = len(survey.ready)
        self._timer(group, refresh, "failing", PATIENCE, self._give_up)

    def _failing(self, group: Group, refresh: InstanceRefresh, survey: Survey) -> bool:
        if group.launch_failures:
            return True
        if survey.old_ready and group.desired and _bounds(group, refresh).stuck:
            return True
        if any(member.health != HEALTHY for member in survey.up_to_date):
            return True
        now, warmup = self._world.clock.now(), refresh.preferences.warmup
        return group.uses_elb_health and any(
            member.failing_targets or (not member.passing_targets and member.warmed_up(now, warmup))
            for member in survey.up_to_date
        )

    def _give_up(self, group: Group, refresh: InstanceRefresh) -> None:
        self._fail(
            group,
            refresh,
            "New instances could not be brought into service for one hour. "
            "See the scaling activities.",
        )

    def _note_waiting(self, group: Group, refresh: InstanceRefresh, survey: Survey) -> None:
        """Start or end the hour in which a refresh waits for protection or standby to go."""
        waiting = bool(survey.awaited) and not survey.old and refresh.held_until is None
        if not waiting:
            refresh.waiting_since = None
            self._stop(refresh, "waiting")
        elif refresh.waiting_since is None:
            refresh.waiting_since = self._world.clock.now()
            self._timer(group, refresh, "waiting", PATIENCE, self._waited_enough)

    def _waited_enough(self, group: Group, refresh: InstanceRefresh) -> None:
        self._fail(
            group,
            refresh,
            "Instances were protected from scale in or in standby for longer than one hour.",
        )

    # -- alarms ------------------------------------------------------------------------------------

    def _alarm_news(self, name: str, state: str) -> None:
        for refresh, group in list(self._watching.items()):
            if name not in refresh.preferences.alarms:
                continue
            if state == "ALARM" and refresh.status in FORWARD and "alarm" not in refresh.timers:
                notice = timedelta(seconds=self.alarm_notice_seconds)
                self._timer(group, refresh, "alarm", notice, self._look_at_alarms)
            self._settle(group)

    def _look_at_alarms(self, group: Group, refresh: InstanceRefresh) -> None:
        """Fail a refresh with an alarm in ALARM; one that has recovered meanwhile is not seen."""
        self._stop(refresh, "alarm")
        for name in refresh.preferences.alarms:
            if self._world.cloudwatch.alarm_state(name) == "ALARM":
                self._fail(group, refresh, f"The CloudWatch alarm {name} is in the ALARM state.")
                return

    # -- timers ------------------------------------------------------------------------------------

    def _timer(
        self,
        group: Group,
        refresh: InstanceRefresh,
        what: str,
        after: timedelta,
        then: Callable[[Group, InstanceRefresh], None],
    ) -> None:
        self._stop(refresh, what)
        refresh.timers[what] = self._world.clock.after(
            after.total_seconds(), f"{group.name} refresh {what}", lambda: then(group, refresh)
        )

    def _stop(self, refresh: InstanceRefresh, what: str) -> None:
        timer = refresh.timers.pop(what, None)
        if timer is not None:
            timer.cancel()

    def _stop_timers(self, refresh: InstanceRefresh, *, but: str | None = None) -> None:
        for what in list(refresh.timers):
            if what != but:
                self._stop(refresh, what)

    def _wake_when_warm(self, group: Group, refresh: InstanceRefresh) -> None:
        """Look again when the next instance has warmed up."""
        now = self._world.clock.now()
        due = [
            member.in_service_at + refresh.preferences.warmup
            for member in group.instances.values()
            if member.in_service_at is not None
            and not member.warmed_up(now, refresh.preferences.warmup)
        ]
        if due and ("warmup" not in refresh.timers or refresh.timers["warmup"].at <= now):
            self._timer(group, refresh, "warmup", min(due) - now, self._look_again)

    def _look_again(self, group: Group, refresh: InstanceRefresh) -> None:
        self._stop(refresh, "warmup")
        self._settle(group)


def _bounds(group: Group, refresh: InstanceRefresh) -> Bounds:
    preferences = refresh.preferences
    return Bounds.of(
        group.desired,
        preferences.minimum_percent,
        preferences.maximum_percent,
        maximum_size=group.maximum,
    )


def _reached(refresh: InstanceRefresh, percentage: int) -> int:
    """The highest checkpoint that a percentage reaches; lower ones are skipped."""
    return max(
        (percent for percent in refresh.preferences.checkpoints if percent <= percentage),
        default=0,
    )
