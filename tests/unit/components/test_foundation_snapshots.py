"""What tenancy, database, identity and exposure come to, to be read in review.

A changed snapshot is a changed cluster: `pytest tests/unit/components --snapshot-update`, then read the diff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.unit.components.printing import YamlSnapshots, to_yaml
from tests.unit.components.scenarios import SCENARIOS, scenario
from vre_operator.components import database, exposure, identity, page, tenancy
from vre_operator.components.context import Environment
from vre_operator.components.package import data_file
from vre_operator.engine.resources import Resource

RENDER: dict[str, Callable[[Environment], Iterable[Resource]]] = {
    "tenancy": tenancy.render,
    "database": database.render,
    "identity": identity.render,
    "exposure": exposure.render,
    "page": page.render,
}
# Where a scenario says something new about a component; the others would repeat it.
READ = {
    "quickstart": ("tenancy", "database", "identity", "exposure"),
    "full": ("tenancy", "database", "identity", "exposure", "page"),
    "external-database": ("database", "exposure"),
    "suspended": ("tenancy", "database"),
    "hub-off": ("tenancy", "database", "identity", "exposure", "page"),
    "manual-client": ("identity",),
    "manual-lake": ("identity",),
    "foreign-fts": ("identity",),
    "x509": (),
    "attached": ("tenancy", "database", "identity", "page"),
    "older-workflows": ("identity", "exposure"),
    "gateway": ("exposure",),
    "keycloak-dcr": ("identity",),
    "open-registration": ("identity",),
}


@pytest.mark.parametrize(
    ("name", "component"), [(name, component) for name, parts in READ.items() for component in parts]
)
def test_it_renders_as_reviewed(name: str, component: str, snapshot: SnapshotAssertion) -> None:
    rendered = to_yaml(RENDER[component](scenario(name)))
    # The page's files are reviewed as files.
    for file in page.component.FILES if component == "page" else ():
        text = data_file("vre_operator.components.page", file)
        program = "\n".join("      " + line if line else "" for line in text.splitlines())
        assert program in rendered, file
        rendered = rendered.replace(program, f"      (files/{file})")
    assert rendered == snapshot(extension_class=YamlSnapshots)


def test_every_scenario_is_read() -> None:
    assert READ.keys() == SCENARIOS.keys()
