"""What the operator asks of the API server for three tenants: exact counts, whatever the time of day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.scale import contenders, issuer, life
from tests.scale.audit import WRITES, Asked
from tests.scale.creation import Made
from tests.scale.rounds import Course, Round

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

SIZE = 3
COUNTS = yaml.safe_load((Path(__file__).parent / "counts.yaml").read_text())


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("course")
    with issuer.running(folder / "issuer") as provider:
        yield Course("scalecount", folder, provider)


def changes(made: Made) -> Counter[str]:
    """Writes by verb and resource, but for what the operator says of a tenant."""
    aside = ("vreenvironments", "vreenvironments/status", "events")
    return Counter(
        f"{what.verb} {what.resource}"
        for what in made.asked.elements()
        if what.verb in WRITES and what.resource not in aside
    )


@pytest.fixture(scope="module")
def bare(course: Course) -> Round:
    done = Round(1)
    done.add("yardstick", *course.turn(contenders.Yardstick, [SIZE], lambda text: None))
    return done


def test_the_yardstick_asks_once_for_each_object(bare: Round) -> None:
    (made,) = bare.made
    assert made.objects == SIZE * COUNTS["tenant"]
    assert Counter(what.verb for what in made.asked.elements()) == {"patch": made.objects}
    assert made.rejected == 0


def test_ours_makes_the_same_with_one_write_for_each_object(course: Course, bare: Round) -> None:
    made, standing = course.turn(contenders.Ours, [SIZE], lambda text: None)
    bare.add("vre-operator", made, standing)
    assert not bare.void
    expected = changes(bare.made[0])
    expected.update({what: SIZE * count for what, count in COUNTS["state"].items()})
    assert changes(made[0]) == expected


def test_a_changed_field_and_a_restart_cost_what_changed_and_nothing(course: Course) -> None:
    with course.life(SIZE) as (lives, _, _):
        asked, changed = life.change(lives)
        status = Asked("patch", "vreenvironments/status", 200)
        assert 1 <= asked.pop(status) <= COUNTS["field"]["status at most"]
        assert len(changed) == COUNTS["field"]["objects"]
        assert Counter(what.verb for what in asked.elements()) == {"patch": len(changed)}
        rows = {row.measure: row for row in life.restart(lives)}
    assert rows[f"restart, {SIZE} tenants: writes"].reached
