"""What is generated and written by hand must agree."""

import json
import re
from pathlib import Path

import pytest
import yaml

from dev.generate import generated
from vre_operator.api.conditions import Condition, Reason

REPOSITORY = Path(__file__).parents[3]
CHART = REPOSITORY / "helm" / "vre-operator"


@pytest.mark.parametrize("path", generated(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_generated_file_is_up_to_date(path: Path) -> None:
    assert path.exists(), "run `make crds`"
    assert path.read_text() == generated()[path], "stale: run `make crds`"


@pytest.mark.parametrize("word", [*Reason, *Condition])
def test_every_condition_and_reason_is_explained(word: str) -> None:
    assert f"`{word}`" in (REPOSITORY / "docs" / "conditions.md").read_text()


def test_no_reason_is_explained_that_does_not_exist() -> None:
    text = (REPOSITORY / "docs" / "conditions.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) <= set(Reason)


def test_chart_schema_knows_every_value() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}


def test_chart_readme_has_every_value() -> None:
    readme = (CHART / "README.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    leaves = {
        f"{name}.{key}" if isinstance(value, dict) and value and name != "resources" else name
        for name, value in values.items()
        for key in (value if isinstance(value, dict) and value else [""])
    }
    assert not {leaf for leaf in leaves if f"`{leaf}" not in readme}


def test_chart_and_package_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'version = "{chart["appVersion"]}"' in (REPOSITORY / "pyproject.toml").read_text()


def test_operator_has_no_right_to_everything() -> None:
    for rules in ("rbac.yaml", "_rights.tpl"):
        text = (CHART / "templates" / rules).read_text()
        assert "*" not in re.sub(r"{{/\*.*?\*/}}", "", text)


def test_readme_shows_the_quickstart_as_it_is() -> None:
    lines = (REPOSITORY / "examples" / "quickstart.yaml").read_text().splitlines()
    manifest = "\n".join(f"    {line}" for line in lines if not line.startswith("#"))
    assert manifest in (REPOSITORY / "README.md").read_text()


def test_every_test_that_the_security_page_names_is_there() -> None:
    text = (REPOSITORY / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 30
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"def {name}\(", (REPOSITORY / path).read_text())
    ]
    assert missing == []


def test_every_control_of_the_security_page_names_a_test() -> None:
    rows = re.findall(
        r"^\| (?!Attack|Actor|---)(.+) \| (.+) \| (.+) \|$",
        (REPOSITORY / "docs" / "security.md").read_text().partition("## What stops it")[2],
        re.MULTILINE,
    )
    assert len(rows) > 20
    assert [row[0] for row in rows if "::test_" not in row[2] and "the same" not in row[2]] == []


def test_links_lead_somewhere() -> None:
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), CHART / "README.md"]
    broken = [
        f"{page.relative_to(REPOSITORY)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text())
        if not target.startswith("https://") and not (page.parent / target).exists()
    ]
    assert broken == []
