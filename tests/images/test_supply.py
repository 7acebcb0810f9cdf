"""The operator's image: the same whoever builds it and when, and with a bill of what is in it."""

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dev import oci, sbom
from dev.images import build
from dev.images.recipe import Step, files
from dev.images.recipes import IMAGES
from dev.images.sandbox import run_step
from tests.images import container
from tests.long import LONG

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
STEPS = [step for _, step in IMAGES["operator"].layers]
DAY = 24 * 3600


@pytest.fixture
def somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Who builds has other habits, and an empty cache."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    before = os.umask(0o077)
    yield
    os.umask(before)


def cloned(step: Step, folder: Path) -> Step:
    """The same with its inputs from another clone, made now and readable by nobody else."""
    for root in step.inputs:
        for source in files(root):
            target = folder / source.relative_to(root.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o700 if source.stat().st_mode & 0o100 else 0o600)
    return replace(step, inputs=tuple(folder / root.name for root in step.inputs))


def digest(layer: Path) -> str:
    with layer.open("rb") as content:
        return f"blobs/sha256/{hashlib.file_digest(content, 'sha256').hexdigest()}"


@pytest.mark.usefixtures("somebody_else")
def test_it_is_the_same_when_somebody_else_builds_it_later(tmp_path: Path) -> None:
    """On top of the same base, which takes most of the time."""
    archive = build(["operator"])["operator"]
    first = container.config(archive)["layers"]
    with tarfile.open(archive) as opened:
        opened.extract(first[0], tmp_path, filter="data")
    layers = [(tmp_path / first[0]).rename(tmp_path / "base.layer")]
    for step in STEPS[1:]:
        again = cloned(step, tmp_path / step.name)
        layer = tmp_path / f"{step.name}.layer"
        run_step(again, layers, layer, tmp_path / f"{step.name}.log")
        layers.append(layer)
    assert [digest(layer) for layer in layers] == first


@pytest.mark.skipif(not LONG, reason="VRE_LONG=1 builds the base image twice, in minutes")
@pytest.mark.usefixtures("somebody_else")
def test_the_base_is_the_same_when_it_is_built_again(tmp_path: Path) -> None:
    """As long as the distribution's archive is the same."""
    layers = [tmp_path / name for name in ("one.layer", "two.layer")]
    for layer in layers:
        run_step(STEPS[0], [], layer, layer.with_suffix(".log"))
    assert digest(layers[0]) == digest(layers[1])


def test_no_account_tells_when_the_base_was_built() -> None:
    """The one thing in it that changed from day to day, and so never within a test."""
    _, found = oci.read_image(build(["operator"])["operator"], lambda name: name == "etc/shadow")
    days = {line.split(":")[2] for line in found["etc/shadow"].decode().splitlines()}
    assert days == {str(oci.EPOCH // DAY)}


def test_its_bill_of_materials_is_whole() -> None:
    found = sbom.contents(build(["operator"])["operator"])
    made = sbom.bom(found, sbom.locked(sbom.LOCK.read_text()))
    assert sbom.text(made)
    assert found.release["ID"]
    assert len(found.debian) > 50
    python = [one for one in made.components if one.purl and one.purl.type == "pypi"]
    assert len(python) > 20
    assert [one.name for one in python if not one.licenses or not one.external_references] == []
