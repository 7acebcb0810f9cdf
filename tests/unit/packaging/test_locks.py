"""What is installed, here and in images, is what a lock file names, by its hash; what builds wheels, too."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev import sbom
from dev.images.recipes import IMAGES

REPOSITORY = Path(__file__).parents[3]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LOCKS = sorted(
    file
    for file in (
        REPOSITORY / "requirements.lock",
        *(REPOSITORY / "dev").glob("*.lock"),
        *(REPOSITORY / "dev/bootstrap").glob("*.lock"),
        *(REPOSITORY / "dev/images/locks").glob("*.lock"),
    )
)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(REPOSITORY)))
def test_every_locked_package_has_hashes(lock: Path) -> None:
    text = lock.read_text()
    found = sbom.locked(text)
    lines = [line for line in text.splitlines() if line[:1].isalnum()]
    assert lines
    assert [line for line in lines if "==" not in line] == []
    names = {canonicalize_name(line.partition("==")[0]) for line in lines}
    assert names == {name for name, one in found.items() if one.hashes}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("dev/requirements.lock", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
        ("dev/images/locks/build.lock", PROJECT["build-system"]["requires"]),
    ],
)
def test_the_lock_has_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    found = sbom.locked((REPOSITORY / lock).read_text())
    for requirement in map(Requirement, wanted):
        version = found[canonicalize_name(requirement.name)].version
        assert version in requirement.specifier, f"{requirement}: run `make lock`"


def test_the_tools_run_what_the_operator_runs() -> None:
    ours, tools = (
        sbom.locked((REPOSITORY / name).read_text()) for name in ("requirements.lock", "dev/requirements.lock")
    )
    assert {name for name, one in ours.items() if tools[name].version != one.version} == set()


def test_nothing_is_installed_without_its_hash() -> None:
    scripts = {step.name: step.script.replace("\\\n", " ") for image in IMAGES.values() for step in image.steps}
    installs = [
        (name, line.strip())
        for name, script in scripts.items()
        for line in script.splitlines()
        if re.search(r"\buv (?:pip install|build)\b", line)
    ]
    assert len(installs) > 5
    # The wheel that the line before it made.
    own = [
        ("operator-wheel", line)
        for name, line in installs
        if name == "operator-wheel" and "--no-deps /tmp/wheel/" in line
    ]
    assert len(own) == 1
    assert [one for one in installs if "--require-hashes" not in one[1] and one not in own] == []
    assert not [
        name for name, script in scripts.items() if re.search(r"\bnpm(?:-cli\.js)? (?:install|i)\b", script)
    ]
    tools = [
        line for line in (REPOSITORY / "dev/bootstrap/venv").read_text().splitlines() if "pip install" in line
    ]
    assert len(tools) == 3
    assert [one for one in tools if "--require-hashes" not in one and "build.lock -e ." not in one] == []
