"""Roles with their policies, what they were used for, and the refusal of all else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from embedded.world.access.demands import demands_of, takes_no_resource
from embedded.world.access.policy import Demand, Statement, allowing, statements_of
from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.world.faults import Call
    from embedded.world.world import World

_CODES: Final = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
_NOTHING: Final[frozenset[Any]] = frozenset()
_QUERY_SERVICES: Final = frozenset({"autoscaling", "cloudwatch", "elbv2"})


@dataclass(frozen=True)
class Use:
    """What a role was allowed, and the statements that allowed it."""

    demand: Demand
    statements: tuple[Statement, ...]


@dataclass
class _Role:
    arn: str
    statements: list[Statement]
    uses: dict[tuple[str, str, frozenset[Any]], Use] = field(default_factory=dict)

    settled: set[tuple[str, str]] = field(default_factory=set)
    """Services and operations that are allowed whatever a call asks for."""

    def allows(self, demand: Demand) -> bool:
        """Whether a statement allows it; it counts as used then."""
        context = demand.context
        key = (
            demand.action, demand.resource, frozenset(context.items()) if context else _NOTHING,
        )  # fmt: skip
        if key in self.uses:
            return True
        found = allowing(self.statements, demand)
        if found:
            use = self.uses[key] = Use(demand, tuple(found))
            if Access.on_use is not None:
                Access.on_use(self.arn, use)
        return bool(found)


class Access:
    """What each role may do."""

    on_use: ClassVar[Callable[[str, Use], None] | None] = None
    """Hears of the first use of each kind in any world: the role's ARN, and the use."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._roles: dict[str, _Role] = {}
        self._profiles: dict[str, str] = {}

    def put_role(self, arn: str, policies: Iterable[Mapping[str, Any]]) -> None:
        """Let a role have these policies, and no others."""
        self._roles[arn] = _Role(arn, statements_of(policies))

    def remove_role(self, arn: str) -> None:
        """Take a role away: whoever still has it may do nothing more."""
        self._roles[arn] = _Role(arn, [])

    def put_profile(self, name: str, role_arn: str) -> None:
        """Let an instance profile give its instances a role."""
        self._profiles[name] = role_arn

    def role_of_profile(self, specification: Mapping[str, str]) -> str:
        """The role behind the instance profile that a launch template names.

        A profile that nobody put here has a role of the same name, as the console makes them.
        """
        named = specification.get("Name") or specification["Arn"].rsplit("/", 1)[-1]
        return self._profiles.get(named, f"arn:aws:iam::{self._world.account}:role/{named}")

    def statements(self, arn: str) -> list[Statement]:
        """The statements of a role's policies."""
        return self._roles[arn].statements

    def uses(self, arn: str) -> list[Use]:
        """What a role was used for so far, each action on each resource once per context."""
        return list(self._roles[arn].uses.values())

    def check(self, call: Call) -> None:
        """Refuse a call that its caller's role does not allow.

        A role that was not put here (one made by hand in IAM) is not judged.

        Raises
        ------
        AwsError
            With the service's own code for a denied call (HTTP 403).
        """
        role = self._roles.get(call.role or "")
        if role is None:
            return
        name = (call.service, call.operation)
        if name in role.settled:
            return
        for demand in demands_of(call, self._world):
            if not role.allows(demand):
                raise self._denied(call, demand)
        if takes_no_resource(call):
            role.settled.add(name)

    def allows(self, arn: str, demand: Demand) -> bool:
        """Whether a role may do one thing; nothing when there is no such role."""
        return arn in self._roles and bool(allowing(self._roles[arn].statements, demand))

    def _denied(self, call: Call, demand: Demand) -> AwsError:
        usual = "AccessDenied" if call.service in _QUERY_SERVICES else "AccessDeniedException"
        role = str(call.role).rsplit("/", 1)[-1]
        return AwsError(
            _CODES.get(call.service, usual),
            f"User: arn:aws:sts::{self._world.account}:assumed-role/{role}/{call.caller} is not "
            f"authorized to perform: {demand.action} on resource: {demand.resource} because no "
            f"identity-based policy allows the {demand.action} action",
            http_status=403,
        )
