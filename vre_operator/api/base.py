"""What every model of the API shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from vre_operator.api.rules import Rule, add_cel, matches, refuse

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_LABEL = rf"^{_LABEL}$"
DNS_NAME = rf"^{_LABEL}(\.{_LABEL})*$"
# The last label begins with a letter, or an IP address would pass as a name.
HOSTNAME = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
QUANTITY = r"^[0-9]{1,15}(\.[0-9]{1,3})?([kMGTP]|[KMGTP]i)?$"

Label = Annotated[
    str,
    Field(max_length=63),
    matches(DNS_LABEL, "is no label", "use lower-case letters, digits and inner hyphens, such as data-science"),
]
ObjectName = Annotated[
    str,
    Field(max_length=253),
    matches(
        DNS_NAME,
        "is no name of a Kubernetes object",
        "use lower-case letters, digits, hyphens and dots, beginning and ending with a letter or digit",
    ),
]
Hostname = Annotated[
    str,
    Field(max_length=200),
    matches(
        HOSTNAME,
        "is no hostname",
        "give a full DNS name in lower case, such as vre.example.org, without scheme, port, path or wildcard",
    ),
]
Quantity = Annotated[
    str,
    Field(max_length=24),
    matches(QUANTITY, "is no size", "write a number with a unit, such as 512Mi or 10Gi"),
]


class Model(BaseModel):
    """Frozen, camelCase outside, snake_case inside, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    cel_rules: ClassVar[tuple[Rule, ...]] = ()
    """Rules about several fields at once."""

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        refuse(broken for rule in self.cel_rules for broken in rule.check(self))
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema = handler(core_schema)
        add_cel(handler.resolve_ref_schema(schema), cls.cel_rules)
        return schema


UNWRITTEN = "x-unwritten"


class Unwritten:
    """Of a field whose default the API server does not write: it must be seen whether the tenant named it."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(core_schema) | {UNWRITTEN: True}


def without_nulls(value: Any) -> Any:
    """JSON data as the API server sees it: a field that is null is a field that is absent."""
    match value:
        case Mapping():
            return {key: without_nulls(item) for key, item in value.items() if item is not None}
        case list() | tuple():
            return [without_nulls(item) for item in value]
        case _:
            return value
