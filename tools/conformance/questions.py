"""What AWS does not document and the embedded AWS had to assume: one list, for docs/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FLEET: Final = "two t4g.nano behind a load balancer for two hours: about $0.10"


@dataclass(frozen=True)
class Question:
    """Something that only a real account can settle.

    Either ``check`` names the check that settles it, or ``steps`` say how a person does.
    """

    asks: str
    assumed: str
    decides: str
    check: str = ""
    steps: str = ""
    cost: str = ""


CHECKED: Final = (
    Question(
        "Does a device list given with a source version replace the inherited one, or merge?",
        "it replaces it",
        "the devices of a version made from two devices with a list of one",
        "a_device_list_of_one_device_with_a_source_version",
    ),
    Question(
        "What is LatestVersionNumber after the newest version is deleted, and the next number?",
        "the highest that is left; numbers are never used again",
        "both, after the deletion",
        "what_is_newest_after_the_newest_version_is_deleted",
    ),
    Question(
        "What does a refresh of a group without instances do, and is the version saved?",
        "it succeeds at once and saves it",
        "its status, and what the group has saved",
        "a_refresh_without_instances_ends_and_saves_the_version",
    ),
    Question(
        "What does DescribeInstanceRefreshes show right after the start?",
        "Pending, without a StartTime",
        "status and members right after StartInstanceRefresh",
        "an_active_refresh_is_alone_and_can_be_rolled_back_once",
    ),
    Question(
        "Is a refresh with skip matching taken where the saved version is the desired one?",
        "it is, and succeeds at once",
        "the answer and the status, in a group without instances; with some: by hand",
        "a_refresh_to_the_version_that_is_saved",
    ),
    Question(
        "Is AutoRollback on a group with `$Latest`, or without a desired configuration, refused "
        "at the start?",
        "at the start, as ValidationError",
        "whether StartInstanceRefresh refuses, or the refresh fails",
        "auto_rollback_of_a_group_that_cannot_go_back",
    ),
    Question(
        "What does RollbackInstanceRefresh answer when nothing is active, or nothing any more?",
        "ActiveInstanceRefreshNotFound",
        "the code before, and after, a refresh that ended",
        "nothing_active_can_neither_be_rolled_back_nor_cancelled",
    ),
    Question(
        "What does it answer while Pending, when rolling back already, and after a cancel?",
        "it rolls back; then ActiveInstanceRefreshNotFound",
        "the answers one after the other, on a group whose only instance cannot be launched",
        "an_active_refresh_is_alone_and_can_be_rolled_back_once",
    ),
    Question(
        "And for a refresh without a desired configuration?",
        "IrreversibleInstanceRefresh, while it is active",
        "the code, on the same kind of group",
        "a_refresh_without_a_desired_configuration_is_irreversible",
    ),
    Question(
        "Is a refresh refused that names an alarm which is not there?",
        "at the start, as ValidationError",
        "the answer of StartInstanceRefresh",
        "a_refresh_that_asks_for_what_cannot_be_is_refused",
    ),
    Question(
        "Does the dry run of a group's template see that a snapshot is none, and what does the "
        "activity of the failed launch say?",
        "it does not; EC2's own words, which snaproll reads for the kind of failure",
        "whether the group is made; Description, Cause, StatusCode, StatusMessage",
        "a_launch_that_fails_says_why_in_its_activity",
    ),
    Question(
        "Are the activities of a real group in the words that snaproll reads?",
        "`Terminating EC2 instance: i-…`; failures in the words of the guide",
        "the newest hundred activities of the group that `--group` names",
        "activities_say_what_they_are_in_the_words_that_are_read",
    ),
    Question(
        "Is the second snapshot of a volume within 15 s refused?",
        "it is, while the first is pending: SnapshotCreationPerVolumeRateExceeded",
        "the answer to the second of two CreateSnapshot",
        "a_second_snapshot_of_a_volume_within_15_seconds",
    ),
    Question(
        "Is the copy of a snapshot that is none refused at once?",
        "at once, as InvalidSnapshot.NotFound",
        "the answer of CopySnapshot",
        "a_copy_has_the_tags_that_it_is_given_and_no_others",
    ),
    Question(
        "What does SendCommand answer for an instance, or a document, that is none?",
        "InvalidInstanceId; InvalidDocument",
        "code and words",
        "a_command_to_nobody_or_of_no_document_is_refused",
    ),
    Question(
        "Is `Encrypted` beside a snapshot refused, warned about or taken by a launch template?",
        "warned about, true and false alike",
        "Warning in the reply of CreateLaunchTemplateVersion",
        "encryption_beside_a_snapshot_is_warned_about",
    ),
    Question(
        "Is the token of a version honoured, and what of another version with the same token?",
        "one version; IdempotentParameterMismatch",
        "the numbers and the code",
        "a_token_makes_one_version_however_often_it_is_sent",
    ),
    Question(
        "Can the default version be set to `$Latest`?",
        "no",
        "the answer of ModifyLaunchTemplate",
        "the_default_version_is_moved_by_number",
    ),
    Question(
        "In what words is the default version kept from being deleted?",
        "`unexpectedError`",
        "UnsuccessfullyDeletedLaunchTemplateVersions",
        "a_version_that_cannot_be_deleted_is_told_in_the_reply",
    ),
    Question(
        "Does StartExecution compare inputs as texts, or as values?",
        "as texts: other blanks are another input",
        "the same name and input with other blanks",
        "the_same_name_and_input_is_the_same_execution_while_it_runs",
    ),
    Question(
        "Is the health of an instance that is not registered an error?",
        "no: `unused`, Target.NotRegistered",
        "DescribeTargetHealth with an id that is none",
        "an_instance_that_is_not_registered_is_unused",
    ),
    Question(
        "Is a refresh that is asked for by a forgotten id an error?",
        "it is left out",
        "DescribeInstanceRefreshes with an id that is none",
        "refreshes_come_newest_first_in_pages",
    ),
    Question(
        "Are the activities of a group that is none an error?",
        "ValidationError",
        "the answer of DescribeScalingActivities",
        "activities_of_a_group_that_is_not_there",
    ),
)
"""What a check settles."""

BY_HAND: Final = (
    Question(
        "Is a rollback taken while the refresh is Baking, InProgress or Cancelling?",
        "Baking and InProgress: yes; Cancelling: ActiveInstanceRefreshNotFound",
        "the answer of RollbackInstanceRefresh",
        steps="Refresh a fleet of two to a version that works, with `BakeTime` 1800. Call "
        "rollback-instance-refresh in each status; cancel one while instances are in transition, "
        "and call it then.",
        cost=_FLEET,
    ),
    Question(
        "Does skip matching replace instances of another version where the saved version is the "
        "desired one?",
        "it replaces those alone",
        "the instances after the refresh",
        steps="Refresh a fleet of two from version 1 to 2, cancel it when one instance is new, "
        "and refresh to version 1 with `SkipMatching`.",
        cost=_FLEET,
    ),
    Question(
        "Is `ec2:IsLaunchTemplateResource` there for every resource of the RunInstances that "
        "Auto Scaling tries for its caller?",
        "true for what the template names or what is made, false for the group's subnets",
        "whether StartInstanceRefresh is denied, and of which resource",
        steps="Give a role the statements of `StartRefreshFunction` in `docs/privileges.md`, and "
        "start a refresh with it. When it is denied, give the encoded message to "
        "`aws sts decode-authorization-message`: it names the resource and the keys.",
        cost="nothing",
    ),
    Question(
        "How long until a refresh notices an alarm?",
        "30 s",
        "RollbackStartTime, less the alarm's StateUpdatedTimestamp",
        steps="Refresh a fleet of two with an alarm in its AlarmSpecification and AutoRollback, "
        "and set the alarm with set-alarm-state while instances are replaced.",
        cost=_FLEET,
    ),
    Question(
        "May a refresh go above the group's maximum size?",
        "no: it is stuck and fails after an hour",
        "the number of instances, and StatusReason",
        steps="Set the maximum size to the desired capacity, 2, and refresh with "
        "MinHealthyPercentage 100, MaxHealthyPercentage 150.",
        cost=_FLEET,
    ),
    Question(
        "Does a refresh of a group with ELB checks count instances whose target is not healthy?",
        "no",
        "PercentageComplete while the targets are unhealthy, past the warm-up",
        steps="Refresh a fleet of two to a version whose server answers its health check with "
        "500, with a health check grace period of an hour.",
        cost=_FLEET,
    ),
    Question(
        "How does a refresh end whose last checkpoint is below 100?",
        "Successful",
        "its status",
        steps="Refresh a fleet of two with CheckpointPercentages [50].",
        cost=_FLEET,
    ),
    Question(
        "What does a launch say whose snapshot's key admits nobody?",
        "`Client.InternalError: Client error on launch`",
        "StatusMessage of the activity",
        steps="Copy a snapshot under a key whose policy leaves the Auto Scaling role out, and "
        "refresh to it. `activities_say_what_they_are_in_the_words_that_are_read` with `--group` "
        "then reads the words.",
        cost=f"{_FLEET}; the key $1 a month until it is deleted",
    ),
    Question(
        "How long is a command unknown that was just sent?",
        "2 s",
        "the last InvocationDoesNotExist after SendCommand",
        steps="Send AWS-RunShellScript to one instance, and ask get-command-invocation every "
        "half second.",
        cost="nothing, with an instance that is there",
    ),
    Question(
        "What does a stack update take `LatestVersionNumber` for, and what does an update that "
        "fails put back?",
        "the newest version, whoever made it; the values looked up before",
        "the group's version after either",
        steps="Deploy `fleet/template.yaml`, roll a snapshot out, and update the stack: once "
        "with another tag, once with a property that cannot be.",
        cost=_FLEET,
    ),
    Question(
        "Does a duplicate of an event start a second execution?",
        "it does, under another name",
        "the executions of a rule's state machine over a month",
        steps="Cannot be provoked: count executions by event id in a busy account.",
        cost="nothing",
    ),
    Question(
        "What does an input transformer make of a path that is not in the event?",
        "nothing; a delivery that is no JSON then fails",
        "what arrives in a queue",
        steps="Put a rule with InputPathsMap and a queue as target, and put an event without the "
        "member.",
        cost="less than $0.001",
    ),
    Question(
        "Does a redriven Wait of some seconds wait in full again, and does dividing by zero fail?",
        "both",
        "the history of the redriven execution; the answer of test-state",
        steps="Abort and redrive an execution that waits 60 s; `aws stepfunctions test-state` "
        "with a Pass whose Output is `{% 1/0 %}`.",
        cost="less than $0.001",
    ),
    Question(
        "When do datapoints of a load balancer reach an alarm, and when does one without data "
        "change?",
        "a minute after their period; after the guide's tables",
        "StateReasonData against the requests that were sent",
        steps="Send errors to a fleet for one minute, and compare the times.",
        cost=_FLEET,
    ),
)
"""What needs a fleet, or cannot be had cheaply."""
