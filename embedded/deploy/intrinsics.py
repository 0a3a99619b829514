"""CloudFormation's intrinsic functions, as far as templates here use them; the rest is refused.

Source: CloudFormation template reference, "Intrinsic function reference".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from embedded.deploy.errors import DeploymentError
from embedded.deploy.shapes import as_text

NO_VALUE: Final = object()
"""What ``AWS::NoValue`` gives: the property, or the entry of a list, is not there."""
ZONES: Final = ("a", "b", "c")

_IN_SUB = re.compile(r"\$\{(!?)([^{}]*)\}")


def references(value: Any) -> Iterator[str]:
    """Give the logical ids that a piece of template depends on; parameters may be among them."""
    if isinstance(value, list):
        for entry in value:
            yield from references(entry)
    elif isinstance(value, dict):
        if len(value) == 1:
            yield from _own_references(*next(iter(value.items())))
        for entry in value.values():
            yield from references(entry)


def _own_references(name: str, argument: Any) -> Iterator[str]:
    if name == "Ref":
        yield argument
    elif name == "Fn::GetAtt":
        yield argument[0] if isinstance(argument, list) else argument.partition(".")[0]
    elif name == "Fn::Sub":
        text = argument[0] if isinstance(argument, list) else argument
        local = argument[1] if isinstance(argument, list) else {}
        for literal, inner in _IN_SUB.findall(text):
            if not literal and inner not in local:
                yield inner.partition(".")[0]


class Resolver:
    """Gives the values that a piece of template stands for.

    Parameters
    ----------
    ref
        What ``Ref`` of a parameter, pseudo parameter or resource gives; raises ``KeyError``.
    get_att
        What ``Fn::GetAtt`` of a resource's attribute gives; raises ``KeyError``.
    mappings, conditions
        Those sections of the template.
    region
        For ``Fn::GetAZs``.
    """

    def __init__(
        self,
        ref: Callable[[str], Any],
        get_att: Callable[[str, str], Any],
        *,
        mappings: Mapping[str, Any],
        conditions: Mapping[str, Any],
        region: str,
    ) -> None:
        self._ref = ref
        self._get_att = get_att
        self._mappings = mappings
        self._conditions = conditions
        self._decided: dict[str, bool] = {}
        self._region = region
        self._functions: dict[str, Callable[[Any, str], Any]] = {
            "Ref": self._resolve_ref,
            "Condition": lambda argument, _: self.condition(argument),
            "Fn::And": lambda argument, where: all(self.resolve(argument, where)),
            "Fn::Base64": self._base64,
            "Fn::Equals": self._equals,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self._resolve_get_att,
            "Fn::GetAZs": self._zones,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Not": lambda argument, where: not self.resolve(argument, where)[0],
            "Fn::Or": lambda argument, where: any(self.resolve(argument, where)),
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }

    def resolve(self, value: Any, where: str) -> Any:
        """Replace every intrinsic function in a value.

        Raises
        ------
        DeploymentError
            For functions that are not known, and for what they cannot find.
        """
        # Most of a template is plain text, which is not worth a call or a place to tell.
        if isinstance(value, list):
            entries = (
                self.resolve(entry, f"{where}[{n}]") if isinstance(entry, dict | list) else entry
                for n, entry in enumerate(value)
            )
            return [entry for entry in entries if entry is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in self._functions and not (name == "Condition" and isinstance(argument, dict)):
                return self._functions[name](argument, where)
            if name.startswith("Fn::"):
                raise DeploymentError(where, f"the function {name} is not supported")
        resolved = {
            key: self.resolve(entry, f"{where}.{key}") if isinstance(entry, dict | list) else entry
            for key, entry in value.items()
        }
        return {key: entry for key, entry in resolved.items() if entry is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Decide a named condition."""
        if name not in self._decided:
            if name not in self._conditions:
                raise DeploymentError(f"Conditions.{name}", "the template does not declare it")
            decided = self.resolve(self._conditions[name], f"Conditions.{name}")
            self._decided[name] = bool(decided)
        return self._decided[name]

    def _resolve_ref(self, argument: Any, where: str) -> Any:
        if argument == "AWS::NoValue":
            return NO_VALUE
        try:
            return self._ref(argument)
        except KeyError:
            raise DeploymentError(where, f"Ref finds no {argument!r}") from None

    def _resolve_get_att(self, argument: Any, where: str) -> Any:
        logical, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
        try:
            return self._get_att(logical, self.resolve(attribute, where))
        except KeyError:
            raise DeploymentError(where, f"GetAtt finds no {logical}.{attribute}") from None

    def _sub(self, argument: Any, where: str) -> str:
        text, local = argument if isinstance(argument, list) else (argument, {})
        values = {name: self.resolve(value, f"{where}.{name}") for name, value in local.items()}

        def value_of(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal:
                return f"${{{name}}}"
            if name in values:
                return as_text(values[name], where)
            if "." in name:
                return as_text(self._resolve_get_att(name, where), where)
            return as_text(self._resolve_ref(name, where), where)

        return _IN_SUB.sub(value_of, text)

    def _join(self, argument: Any, where: str) -> str:
        separator, parts = argument
        resolved: str = separator.join(as_text(p, where) for p in self.resolve(parts, where))
        return resolved

    def _split(self, argument: Any, where: str) -> list[str]:
        separator, text = argument
        return as_text(self.resolve(text, where), where).split(separator)

    def _select(self, argument: Any, where: str) -> Any:
        index, entries = self.resolve(argument, where)
        try:
            return entries[int(index)]
        except IndexError:
            raise DeploymentError(where, f"Select finds no entry {index}") from None

    def _if(self, argument: Any, where: str) -> Any:
        name, yes, no = argument
        return self.resolve(yes if self.condition(name) else no, where)

    def _equals(self, argument: Any, where: str) -> bool:
        left, right = (self.resolve(side, where) for side in argument)
        return as_text(left, where) == as_text(right, where)

    def _find_in_map(self, argument: Any, where: str) -> Any:
        keys = [self.resolve(key, where) for key in argument]
        found: Any = self._mappings
        for key in keys:
            if not isinstance(found, dict) or key not in found:
                raise DeploymentError(where, f"FindInMap finds no {' / '.join(map(str, keys))}")
            found = found[key]
        return found

    def _zones(self, argument: Any, where: str) -> list[str]:
        region = as_text(self.resolve(argument, where), where) or self._region
        return [f"{region}{letter}" for letter in ZONES]

    def _base64(self, argument: Any, where: str) -> str:
        return base64.b64encode(as_text(self.resolve(argument, where), where).encode()).decode()
