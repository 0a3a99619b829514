"""Every error snaproll raises; Retry and Catch of a definition name these very classes.

The message of each is a sentence for the person who reads it in the console: what happened, to
what, and what to do.
"""


class SnaprollError(Exception):
    """Root of the tree."""


# -- Passes with time: the definitions retry these with back-off and jitter ---------------------


class TransientError(SnaprollError):
    """Trying the same step again, later, is the remedy."""


class ThrottledError(TransientError):
    """AWS asked for fewer calls."""


class AwsUnavailableError(TransientError):
    """AWS failed on its own side, or did not answer in time."""


class NotYetVisibleError(TransientError):
    """Something just created is not visible yet; EC2 reads are eventually consistent."""


class LedgerConflictError(TransientError):
    """Another writer changed the fleet's ledger item again and again while this step tried to."""


class VersionInUseError(TransientError):
    """A launch template version cannot be deleted yet: an instance or the group still uses it."""


class RefreshStillEndingError(TransientError):
    """Somebody cancelled the instance refresh and Auto Scaling has not finished doing so."""


# -- What a person gave is wrong ------------------------------------------------------------------


class InputError(SnaprollError):
    """A request, an event or a configuration that cannot be acted on as it stands."""


class InvalidRequestError(InputError):
    """An execution input that no rollout can be planned from."""


class InvalidEventError(InputError):
    """An event whose shape is not the documented one."""


class InvalidFleetConfigurationError(InputError):
    """A fleet parameter that does not follow the schema."""


class UnknownFleetError(InputError):
    """No fleet of this name is configured in this environment."""


class InvalidWriterConfigurationError(InputError):
    """A writer parameter that does not follow the schema."""


class UnknownWriterError(InputError):
    """No writer of this name is configured in this environment."""


class NoEligibleSnapshotError(InputError):
    """The fleet's selection rule finds no snapshot to roll to."""


# -- Decisions of the protocol: the definitions catch these ---------------------------------------


class ProtocolError(SnaprollError):
    """The step may not go on, and the state machine knows where to go instead."""


class StalePlanError(ProtocolError):
    """The ledger changed between the plan and the claim; plan again."""


class FleetBusyError(ProtocolError):
    """Another rollout holds the fleet's claim."""


class ClaimLostError(ProtocolError):
    """An execution no longer holds its fleet's or writer's claim and must change nothing more."""


class RolloutStoppedError(ProtocolError):
    """A person stopped the rollout before it had replaced anything."""


class TemplateRefusedError(ProtocolError):
    """No launch template version that differs in the snapshot alone could be made."""


class NoInstancesError(ProtocolError):
    """A release is staged instead of refreshed to: the group has no instances, or had none."""


class InstancesCameError(ProtocolError):
    """The group got instances while a release was being staged on it."""


class RefreshRefusedError(ProtocolError):
    """Auto Scaling refuses to start or to roll back the instance refresh."""


class RefreshNotActiveError(RefreshRefusedError):
    """No refresh of the group is active any more; steps look again, so that none lets it out."""


class RefreshInProgressError(RefreshRefusedError):
    """A refresh of the group is active already; steps find out whose, so that none lets it out."""


class WriterNotQuiescedError(ProtocolError):
    """The writer does not stand still, or not long enough for a snapshot to begin."""


class SnapshotRefusedError(ProtocolError):
    """EC2 refuses to take a snapshot of the writer's volume."""


# -- Needs a person or a deployment ---------------------------------------------------------------


class AccessDeniedError(SnaprollError):
    """The function's role, or a key policy, does not allow a call."""


class AwsRefusedError(SnaprollError):
    """AWS refused a call for a reason that this version of snaproll has no answer to."""


class ComparisonFailedError(SnaprollError):
    """Some fleets could not be compared with what they should be; all others were."""


class LedgerUnreadableError(SnaprollError):
    """A ledger item has a schema that this version cannot read."""


class SettingsError(SnaprollError):
    """A function's environment lacks a setting or holds an unusable one."""
