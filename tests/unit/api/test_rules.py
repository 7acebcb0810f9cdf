"""The small parts that rules are made of."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from vre_operator.api.base import Quantity
from vre_operator.api.rules import Rule, immutable_field, matches, quantity

FACTORS = {
    "": 1,
    "k": 10**3,
    "Ki": 2**10,
    "M": 10**6,
    "Mi": 2**20,
    "G": 10**9,
    "Gi": 2**30,
    "Ti": 2**40,
    "P": 10**15,
}


@given(st.decimals(0, 10**6, places=3), st.sampled_from(sorted(FACTORS)))
def test_quantities_are_exact(number: Decimal, unit: str) -> None:
    text = f"{number}{unit}"
    assert TypeAdapter(Quantity).validate_python(text) == text
    assert quantity(text) == number * FACTORS[unit]


@pytest.mark.parametrize(
    "text", ["", "Gi", "1 Gi", "1gi", "1Gii", "10m", "1e3", ".5Gi", "1.Gi", "1Gi\n", "+1Gi"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(text)


def test_a_rule_that_only_the_server_can_check_holds_offline() -> None:
    assert list(immutable_field("a", "b").check(object())) == []


def test_a_rule_as_the_api_server_reads_it() -> None:
    assert matches("^a$", "b", "c").as_cel() == {"rule": "self.matches(r'^a$')", "message": "b: c"}
    assert Rule("true", "b", "c", path=".d").as_cel()["fieldPath"] == ".d"
