"""Validation rules that hold in two places: as CEL in the API server, as a predicate in `vre validate`.

A rule sits where it applies, in `Annotated[...]` for a field or in `Model.cel_rules` for an object, and says in
one place what is checked, what is wrong when it fails, and what to do about it. JSON Schema's own `pattern` is
avoided on purpose: the API server would answer with the regular expression and no remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

BROKEN = "broken-rule"
"""Type of the pydantic errors that carry `Broken`s in their context."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that does not hold. `path` is relative to where the rule sits: "", ".credentialsSecret", "[1]"."""

    path: str
    problem: str
    remedy: str


def refuse(broken: Iterable[Broken]) -> None:
    """Raise the pydantic error that carries them, if there are any."""
    if found := tuple(broken):
        text = "; ".join(f"{each.problem}: {each.remedy}" for each in found)
        raise PydanticCustomError(BROKEN, "{text}", {"text": text, "broken": found})


@dataclass(frozen=True, slots=True)
class Rule:
    """cel: None where the API server cannot say it. holds: None for a rule about a change (oldSelf).

    path: the field to blame, relative to where the rule sits, e.g. ".credentialsSecret".
    """

    cel: str | None
    problem: str
    remedy: str
    holds: Callable[[Any], bool] | None = None
    path: str = ""

    def check(self, value: Any) -> Iterable[Broken]:
        if self.holds is not None and not self.holds(value):
            yield Broken(self.path, self.problem, self.remedy)

    def as_cel(self) -> dict[str, str]:
        """The entry of x-kubernetes-validations."""
        entry = {"rule": self.cel or "", "message": f"{self.problem}: {self.remedy}"}
        return entry | ({"fieldPath": self.path} if self.path else {})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: Any) -> Any:
            refuse(self.check(value))
            return value

        return core_schema.no_info_after_validator_function(validate, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return add_cel(handler(schema), (self,))


def add_cel(schema: dict[str, Any], rules: Iterable[Rule]) -> dict[str, Any]:
    """`schema` with the rules that the API server can check."""
    if found := [rule.as_cel() for rule in rules if rule.cel is not None]:
        schema.setdefault("x-kubernetes-validations", []).extend(found)
    return schema


def matches(regex: str, problem: str, remedy: str) -> Rule:
    """The whole string fits `regex` (RE2, with ^ and $)."""
    compiled = re.compile(regex)
    # fullmatch: Python's $ lets a trailing newline pass, RE2's does not
    return Rule(f"self.matches(r'{regex}')", problem, remedy, lambda text: bool(compiled.fullmatch(text)))


def at_least(minimum: str) -> Rule:
    """A quantity with a lower bound."""
    return Rule(
        # A quantity that is none has its own message; an error here would hide it.
        f"!isQuantity(self) || quantity(self).compareTo(quantity('{minimum}')) >= 0",
        f"is less than {minimum}",
        f"ask for {minimum} or more, and mind the unit (Gi is usual)",
        lambda text: quantity(text) >= quantity(minimum),
    )


def immutable(remedy: str) -> Rule:
    """A required field that cannot change."""
    return Rule("self == oldSelf", "cannot be changed", remedy)


def immutable_field(field: str, remedy: str) -> Rule:
    """An optional field that can be neither set, changed nor removed later; sits on the object that has it."""
    # On the field itself a transition rule would not run when the field comes or goes.
    return Rule(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        "cannot be changed",
        remedy,
        path=f".{field}",
    )


def stays(field: str, remedy: str) -> Rule:
    """An optional field that can be neither added nor removed later; sits on the object that has it."""
    return Rule(
        f"has(self.{field}) == has(oldSelf.{field})",
        "cannot be added or removed later",
        remedy,
        path=f".{field}",
    )


def unless(cel: str, rule: Rule) -> Rule:
    """A rule about a change that does not count while `cel` holds."""
    return replace(rule, cel=f"{cel} || ({rule.cel})")


def only_grows(field: str) -> Rule:
    """The size of a volume; sits on the object that has it."""
    return Rule(
        f"!isQuantity(self.{field}) || !isQuantity(oldSelf.{field})"
        f" || quantity(self.{field}).compareTo(quantity(oldSelf.{field})) >= 0",
        "cannot shrink",
        "set it back to its former size or to more: volumes only grow",
        path=f".{field}",
    )


class Unique:
    """A list without duplicates: of scalars, or of objects that differ in one of the fields `keys`.

    The API server takes it as a set or a map, so that several appliers can each own their items.
    """

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(items: tuple[Any, ...]) -> tuple[Any, ...]:
            names = [self._name(item) for item in items]
            refuse(
                Broken(f"[{index}]", f'Duplicate value "{name}"', f"give each a different {self._what}")
                for index, name in enumerate(names)
                if name in names[:index]
            )
            return items

        return core_schema.no_info_after_validator_function(validate, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        kind = (
            {
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": [to_camel(key) for key in self.keys],
            }
            if self.keys
            else {"x-kubernetes-list-type": "set"}
        )
        return handler(schema) | kind

    @property
    def _what(self) -> str:
        return " or ".join(map(to_camel, self.keys)) or "value"

    def _name(self, item: Any) -> str:
        return ", ".join(str(getattr(item, key)) for key in self.keys) if self.keys else str(item)


_UNITS: Mapping[str, int] = {
    **{unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), start=1)},
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P"), start=1)},
}


def quantity(text: str) -> Decimal:
    """Bytes of a Kubernetes quantity such as 512Mi."""
    number = text.rstrip("kKMGTPi")
    return Decimal(number) * _UNITS.get(text.removeprefix(number), 1)
