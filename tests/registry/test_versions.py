"""Pinning the default images, asked at a real registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev import versions
from tests.registry.running import Registry
from vre_operator.api.versions import Versions

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(300)]
STALE = f"sha256:{'0' * 64}"


def written(folder: Path, registry: Registry, *, digests: str = "{}") -> Path:
    file = folder / "versions.yaml"
    file.write_text(
        f"""\
# Kept.
images:
  hub: {registry.image("pins/hub:1")}
  reana:
    # Kept, too.
    cache: {registry.image("pins/cache:2")}
  transfers: own:0.1.0
digests: {digests}
"""
    )
    return file


def pin(file: Path, registry: Registry) -> int:
    ca = file.with_name("ca.pem")
    ca.write_text(registry.ca)
    loopback = ["--cidr", "127.0.0.0/8", "--cidr", "::1/128"]
    return versions.main(["pin", "--file", str(file), "--ca-bundle", str(ca), *loopback])


def test_what_the_registry_tells_is_written_and_deployed(tmp_path: Path, registry: Registry) -> None:
    hub, cache = registry.push("pins/hub", "1", "hub"), registry.push("pins/cache", "2", "cache")
    # Of a tag that is no longer there: it must not stay.
    file = written(tmp_path, registry, digests=f"{{{registry.image('pins/hub:0')}: {STALE}}}")
    head = file.read_text().partition("digests:")[0]
    assert pin(file, registry) == 0
    assert file.read_text().startswith(head)
    found = Versions.read(file.read_text())
    assert found.digests == {registry.image("pins/hub:1"): hub, registry.image("pins/cache:2"): cache}
    assert found.defaults() == {
        "hub": f"{registry.image('pins/hub:1')}@{hub}",
        "reana": {"cache": f"{registry.image('pins/cache:2')}@{cache}"},
        "transfers": "own:0.1.0",
    }
    once = file.read_text()
    assert pin(file, registry) == 0
    assert file.read_text() == once
    moved = registry.push("pins/hub", "1", "another")
    assert pin(file, registry) == 0
    assert Versions.read(file.read_text()).digests[registry.image("pins/hub:1")] == moved


def test_what_nobody_tells_stays_and_is_named(
    tmp_path: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = registry.push("pins/cache", "2", "cache")
    registry.remove("pins/hub", registry.push("pins/hub", "1", "gone"))
    hub = registry.image("pins/hub:1")
    file = written(tmp_path, registry, digests=f"{{{hub}: {STALE}}}")
    assert pin(file, registry) == 1
    assert f"not pinned anew: {hub}" in capsys.readouterr().err
    assert Versions.read(file.read_text()).digests == {hub: STALE, registry.image("pins/cache:2"): cache}
