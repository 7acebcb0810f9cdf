"""The damages that are tried on purpose keep up with the code."""

from __future__ import annotations

import pytest

from tests.faults.damage import DAMAGES, ROOT, Damage


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda it: it.name)
def test_a_damage_is_to_code_that_is_there_once(damage: Damage) -> None:
    assert (ROOT / damage.path).read_text().count(damage.old) == 1
    assert (ROOT / damage.test.partition("::")[0]).exists()
