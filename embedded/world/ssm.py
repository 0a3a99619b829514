"""Parameter Store: hierarchical names, versions, pages of ten, and an event for every change.

Rules: Systems Manager user guide, "Creating Parameter Store parameters in Systems Manager" (names),
"Managing parameter tiers" (sizes), "Reference: Amazon EventBridge event patterns and types for
Systems Manager" (the event); limits of pages from the botocore model ``ssm``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from datetime import datetime

    from embedded.world.world import World

STANDARD_BYTES: Final = 4 * 1024
"""The largest value of a standard parameter."""
ADVANCED_BYTES: Final = 8 * 1024
"""The largest value of an advanced parameter."""
STANDARD_PARAMETERS: Final = 10_000
"""Standard parameters that one account may have in a Region."""
HIERARCHY_LEVELS: Final = 15
PAGE_BY_PATH: Final = 10
"""GetParametersByPath gives ten at a time, by default and at most."""
PAGE_DESCRIBED: Final = 50
TIERS: Final = {"Standard": STANDARD_BYTES, "Advanced": ADVANCED_BYTES}

_NAME = re.compile(r"^[a-zA-Z0-9_.\-/]+$")
_UNSUPPORTED: Final = ("KeyId", "Policies")


@dataclass
class Parameter:
    """One parameter at its newest version, and the values that it had."""

    name: str
    type: str
    tier: str
    changed_at: datetime
    values: list[str]
    description: str | None = None
    allowed_pattern: str | None = None
    data_type: str = "text"
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The newest version; the first is 1."""
        return len(self.values)


class ParameterStore(Service):
    """The parameters of one account in one Region."""

    name: ClassVar[str] = "ssm"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.parameters: dict[str, Parameter] = {}

    # -- writing ---------------------------------------------------------------------------------

    @operation("PutParameter")
    def put_parameter(self, params: Params) -> Reply:
        """Create a parameter, or with ``Overwrite`` give it a new version."""
        for member in _UNSUPPORTED:
            if member in params:
                raise NotEmulatedError(f"ssm:PutParameter with {member}")
        name = params["Name"]
        _check_name(name)
        existing = self.parameters.get(name)
        if existing is None:
            return self._create(name, params)
        return self._overwrite(existing, params)

    def _create(self, name: str, params: Params) -> Reply:
        if "Type" not in params:
            raise AwsError(
                "ValidationException",
                "A parameter type is required when you create a parameter.",
            )
        if len(self.parameters) >= STANDARD_PARAMETERS:
            raise AwsError("ParameterLimitExceeded", "You have exceeded the number of parameters.")
        tier = _checked_tier(params.get("Tier", "Standard"), params["Value"])
        parameter = Parameter(
            name=name,
            type=_checked_type(params["Type"]),
            tier=tier,
            changed_at=self.world.clock.now(),
            values=[params["Value"]],
            description=params.get("Description"),
            allowed_pattern=params.get("AllowedPattern"),
            data_type=_checked_data_type(params.get("DataType", "text")),
            tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", [])},
        )
        _check_pattern(parameter.allowed_pattern, params["Value"])
        self.parameters[name] = parameter
        self._tell(parameter, "Create")
        return {"Version": 1, "Tier": tier}

    def _overwrite(self, parameter: Parameter, params: Params) -> Reply:
        if not params.get("Overwrite", False):
            raise AwsError(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option"
                " in the request to true.",
            )
        if params.get("Tags"):
            raise AwsError(
                "ValidationException",
                "Invalid request: tags and overwrite can't be used together. To create a parameter"
                " with tags, please remove overwrite flag. To update tags for an existing"
                " parameter, please use AddTagsToResource or RemoveTagsFromResource.",
            )
        if _checked_type(params.get("Type", parameter.type)) != parameter.type:
            raise NotEmulatedError("changing the type of a parameter")
        tier = _checked_tier(_kept_tier(parameter.tier, params.get("Tier")), params["Value"])
        pattern = params.get("AllowedPattern", parameter.allowed_pattern)
        _check_pattern(pattern, params["Value"])
        parameter.tier = tier
        parameter.allowed_pattern = pattern
        parameter.description = params.get("Description", parameter.description)
        parameter.values.append(params["Value"])
        parameter.changed_at = self.world.clock.now()
        self._tell(parameter, "Update")
        return {"Version": parameter.version, "Tier": tier}

    @operation("DeleteParameter")
    def delete_parameter(self, params: Params) -> Reply:
        """Remove one parameter."""
        self._remove(self._find(params["Name"]))
        return {}

    @operation("DeleteParameters")
    def delete_parameters(self, params: Params) -> Reply:
        """Remove up to ten parameters; those that do not exist are listed as invalid."""
        _check_ten(params["Names"])
        deleted = [name for name in params["Names"] if name in self.parameters]
        for name in deleted:
            self._remove(self.parameters[name])
        return {
            "DeletedParameters": deleted,
            "InvalidParameters": [name for name in params["Names"] if name not in deleted],
        }

    def _remove(self, parameter: Parameter) -> None:
        del self.parameters[parameter.name]
        self._tell(parameter, "Delete")

    # -- reading ---------------------------------------------------------------------------------

    @operation("GetParameter")
    def get_parameter(self, params: Params) -> Reply:
        """Give one parameter; ``name:3`` asks for its third version."""
        return {"Parameter": self._selected(params["Name"])}

    @operation("GetParameters")
    def get_parameters(self, params: Params) -> Reply:
        """Give up to ten parameters; those that do not exist are listed as invalid."""
        _check_ten(params["Names"])
        found, invalid = [], []
        for name in params["Names"]:
            try:
                found.append(self._selected(name))
            except AwsError:
                invalid.append(name)
        return {"Parameters": found, "InvalidParameters": invalid}

    @operation("GetParametersByPath")
    def get_parameters_by_path(self, params: Params) -> Reply:
        """Give a page of the parameters below a path, by name."""
        if params.get("ParameterFilters"):
            raise NotEmulatedError("ssm:GetParametersByPath with ParameterFilters")
        path = params["Path"]
        if not path.startswith("/"):
            raise AwsError(
                "ValidationException",
                "The parameter doesn't meet the parameter name requirements. The parameter name"
                ' must begin with a forward slash "/".',
            )
        below = path.rstrip("/") + "/"
        names = sorted(
            name
            for name in self.parameters
            if name.startswith(below)
            and (params.get("Recursive", False) or "/" not in name[len(below) :])
        )
        size = params.get("MaxResults", PAGE_BY_PATH)
        _check_page(size, PAGE_BY_PATH)
        page, token = _page(names, size, params.get("NextToken"))
        reply: Reply = {"Parameters": [self._shown(self.parameters[name]) for name in page]}
        return reply | token

    @operation("DescribeParameters")
    def describe_parameters(self, params: Params) -> Reply:
        """Give a page of what is known about parameters, without their values."""
        if params.get("Filters") or params.get("Shared"):
            raise NotEmulatedError("ssm:DescribeParameters with Filters or Shared")
        names = sorted(self.parameters)
        for wanted in params.get("ParameterFilters", []):
            names = [name for name in names if _passes(self.parameters[name], wanted)]
        size = params.get("MaxResults", PAGE_DESCRIBED)
        _check_page(size, PAGE_DESCRIBED)
        page, token = _page(names, size, params.get("NextToken"))
        reply: Reply = {"Parameters": [self._described(self.parameters[name]) for name in page]}
        return reply | token

    # -- tags ------------------------------------------------------------------------------------

    @operation("AddTagsToResource")
    def add_tags_to_resource(self, params: Params) -> Reply:
        """Put tags on a parameter."""
        tags = self._tagged(params).tags
        tags.update({tag["Key"]: tag["Value"] for tag in params["Tags"]})
        return {}

    @operation("RemoveTagsFromResource")
    def remove_tags_from_resource(self, params: Params) -> Reply:
        """Take tags off a parameter."""
        tags = self._tagged(params).tags
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, params: Params) -> Reply:
        """Give the tags of a parameter."""
        tags = self._tagged(params).tags
        return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}

    # -- within ----------------------------------------------------------------------------------

    def _tagged(self, params: Params) -> Parameter:
        if params["ResourceType"] != "Parameter":
            raise NotEmulatedError(f"tags on a Systems Manager {params['ResourceType']}")
        parameter = self.parameters.get(params["ResourceId"])
        if parameter is None:
            raise AwsError(
                "InvalidResourceId", f"The resource ID {params['ResourceId']!r} is not valid."
            )
        return parameter

    def _find(self, name: str) -> Parameter:
        parameter = self.parameters.get(name)
        if parameter is None:
            raise AwsError("ParameterNotFound", f"Parameter {name} not found.")
        return parameter

    def _selected(self, wanted: str) -> Reply:
        """Find what a name, an ARN, or either with ``:version`` behind it stands for."""
        prefix = self.world.arn("ssm", "parameter")
        name = wanted.removeprefix(prefix)
        name, _, version = name.partition(":")
        parameter = self._find(name)
        if not version:
            return self._shown(parameter)
        if not version.isdecimal():
            raise NotEmulatedError("parameter labels")
        if not 1 <= int(version) <= parameter.version:
            raise AwsError(
                "ParameterVersionNotFound",
                f"Systems Manager could not find version {version} of {name}.",
            )
        shown = self._shown(parameter)
        shown["Value"] = parameter.values[int(version) - 1]
        return shown | {"Version": int(version), "Selector": f":{version}"}

    def arn_of(self, name: str) -> str:
        """Give a parameter's ARN; a leading slash of its name is not doubled."""
        return self.world.arn("ssm", f"parameter/{name.removeprefix('/')}")

    def _shown(self, parameter: Parameter) -> Reply:
        return {
            "Name": parameter.name,
            "Type": parameter.type,
            "Value": parameter.values[-1],
            "Version": parameter.version,
            "LastModifiedDate": parameter.changed_at,
            "ARN": self.arn_of(parameter.name),
            "DataType": parameter.data_type,
        }

    def _described(self, parameter: Parameter) -> Reply:
        described = self._shown(parameter)
        del described["Value"]
        described["Tier"] = parameter.tier
        described["Policies"] = []
        if parameter.description is not None:
            described["Description"] = parameter.description
        if parameter.allowed_pattern is not None:
            described["AllowedPattern"] = parameter.allowed_pattern
        return described

    def _tell(self, parameter: Parameter, what: str) -> None:
        detail = {"operation": what, "name": parameter.name, "type": parameter.type}
        if parameter.description is not None:
            detail["description"] = parameter.description
        self.world.events.emit(
            "aws.ssm", "Parameter Store Change", detail, [self.arn_of(parameter.name)]
        )


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise AwsError(
            "ValidationException",
            'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path,'
            " it can consist of sub-paths divided by slash symbol; each sub-path can be formed as"
            " a mix of letters, numbers and the following 3 symbols .-_",
        )
    if "/" in name and not name.startswith("/"):
        raise AwsError("ValidationException", "Parameter name must be a fully qualified name.")
    first = name.lstrip("/").lower()
    if first.startswith(("aws", "ssm")):
        raise AwsError("AccessDeniedException", f"No access to reserved parameter name: {name}.")
    if name.count("/") > HIERARCHY_LEVELS:
        raise AwsError(
            "HierarchyLevelLimitExceededException",
            f"A hierarchy can have a maximum of {HIERARCHY_LEVELS} levels.",
        )


def _checked_type(kind: str) -> str:
    if kind == "SecureString":
        raise NotEmulatedError("SecureString parameters")
    if kind not in {"String", "StringList"}:
        raise AwsError("UnsupportedParameterType", f"The parameter type {kind!r} is not supported.")
    return kind


def _checked_data_type(data_type: str) -> str:
    if data_type != "text":
        raise NotEmulatedError(f"parameters of the data type {data_type}")
    return data_type


def _kept_tier(now: str, wanted: str | None) -> str:
    """Refuse to make an advanced parameter a standard one, which would cut values off."""
    if now == "Advanced" and wanted == "Standard":
        raise AwsError(
            "ValidationException",
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from"
            " the advanced-parameter tier to the standard-parameter tier.",
        )
    return wanted or now


def _checked_tier(tier: str, value: str) -> str:
    if tier == "Intelligent-Tiering":
        tier = "Standard" if len(value.encode()) <= STANDARD_BYTES else "Advanced"
    if not value:
        raise AwsError("ValidationException", "Parameter value can't be empty.")
    limit = TIERS[tier]
    if len(value.encode()) > limit:
        raise AwsError(
            "ValidationException",
            f"{tier} tier parameters support a maximum parameter value of {limit} characters.",
        )
    return tier


def _check_pattern(pattern: str | None, value: str) -> None:
    if pattern and not re.search(pattern, value):
        raise AwsError(
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )


def _check_ten(names: list[str]) -> None:
    if len(names) > PAGE_BY_PATH:
        raise AwsError(
            "ValidationException",
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member"
            " must have length less than or equal to 10",
        )


def _check_page(size: int, largest: int) -> None:
    if not 1 <= size <= largest:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy"
            f" constraint: Member must have value less than or equal to {largest}",
        )


def _page(names: list[str], size: int, token: str | None) -> tuple[list[str], Reply]:
    """Cut one page out; the token is the last name given, so changes in between do no harm."""
    rest = [name for name in names if token is None or name > token]
    page = rest[:size]
    return page, ({"NextToken": page[-1]} if len(rest) > size else {})


def _passes(parameter: Parameter, wanted: Params) -> bool:
    key, option = wanted["Key"], wanted.get("Option", "Equals")
    values: list[str] = wanted.get("Values", [])
    if key == "Name" and option in {"Equals", "BeginsWith"}:
        if option == "Equals":
            return parameter.name in values
        return parameter.name.startswith(tuple(values))
    if key.startswith("tag:") and option == "Equals":
        return parameter.tags.get(key.removeprefix("tag:")) in values
    raise NotEmulatedError(f"the parameter filter {key} with {option}")
