"""One file names the images that are deployed by default, and no other does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dev.versions import FILE, is_published
from vre_operator.api.catalogue import IMAGE
from vre_operator.api.site import Images
from vre_operator.api.versions import Versions

REPOSITORY = Path(__file__).parents[3]
DIGEST = f"sha256:{'a' * 64}"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}"
# Hosts of registries that people pull from, wherever they stand and however the name goes on.
_AT_REGISTRY = re.compile(
    r"\b(?:docker\.io|(?:[a-z0-9-]+\.)*(?:quay\.io|ghcr\.io|gcr\.io|pkg\.dev|azurecr\.io|amazonaws\.com)"
    rf"|public\.ecr\.aws|mcr\.microsoft\.com|registry[a-z0-9.-]*\.[a-z]+|localhost:[0-9]+)/{_PART}[^\s\"']*"
)
# Short ones: REPOSITORY/NAME:TAG, or NAME:TAG with a tag that looks like a version.
_SHORT = re.compile(rf"(?:{_PART}/{_PART}(?:/{_PART})*:{_TAG}|{_PART}:(?:v?[0-9]+\.[0-9][-\w.]*|latest))")
_IN_YAML = re.compile(r"\b[iI]mage:\s*[\"']?([^\s\"'{}]+)[\"']?\s*$", re.MULTILINE)
_TEXT = {
    ".py",
    ".yaml",
    ".yml",
    ".json",
    ".tpl",
    ".txt",
    ".md",
    ".toml",
    ".sh",
    ".html",
    ".js",
    ".cfg",
    ".conf",
    "",
}
# Instances of documentation's own domain name nothing that anybody could pull.
_EXAMPLE = re.compile(r"\bexample\.(?:org|com)\b")


def named(path: str, text: str) -> list[str]:
    """The images that a file names."""
    found = [match[0] for match in _AT_REGISTRY.finditer(text)]
    found += [word for word in _IN_YAML.findall(text) if re.fullmatch(IMAGE, word) and _SHORT.fullmatch(word)]
    if path.endswith(".py"):
        found += [word for word in _strings(text) if _SHORT.fullmatch(word)]
    return [one for one in found if not _EXAMPLE.search(one)]


def _strings(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def shipped() -> list[Path]:
    """Every file of the package and of the chart that can be read as text, but for the one."""
    files = [*(REPOSITORY / "vre_operator").rglob("*"), *(REPOSITORY / "helm").rglob("*")]
    return sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts and file != FILE)


def test_no_other_file_names_an_image() -> None:
    files = shipped()
    assert len(files) > 100
    assert {file.suffix for file in files} <= _TEXT | {".ini", ".css", ".svg", ".png", ".typed", ".helmignore"}
    found = {
        str(file.relative_to(REPOSITORY)): names
        for file in files
        if file.suffix != ".png" and (names := named(file.name, file.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", 'IMAGE = "docker.io/library/redis:7"'),
        ("a.py", 'base = "docker.io/reanahub/reana"'),
        ("a.py", 'base = f"quay.io/jupyterhub/k8s-hub:{version}"'),
        ("a.py", 'image = "rucio/rucio-server:release-41.0.0"'),
        ("a.py", 'image = "redis:7.2"'),
        ("a.py", 'image = "busybox:latest"'),
        ("a.yaml", "      image: busybox:1.36"),
        ("a.yaml", 'image: "curlimages/curl:8"'),
        ("a.yaml", "repository: ghcr.io/somebody/thing"),
        ("a.sh", "crictl pull registry.k8s.io/pause:3.9"),
        ("a.tpl", f"x quay.io/a/b@{DIGEST} y"),
    ],
)
def test_an_image_that_is_named_elsewhere_is_found(path: str, text: str) -> None:
    assert named(path, text)


def test_the_file_has_the_form_of_the_model_and_names_every_image() -> None:
    images = Versions.read().images
    model = Images().model_dump(by_alias=True)

    def keys(node: object) -> object:
        return {name: keys(child) for name, child in node.items()} if isinstance(node, dict) else None

    assert keys(images) == keys(model)
    assert model == Versions.read().defaults()
    assert [name for name in Versions.read().names() if not re.fullmatch(IMAGE, name)] == []


def test_an_image_whose_digest_is_known_is_deployed_by_it() -> None:
    found = Versions.read(f"images: {{a: q.io/a:1, b: {{c: q.io/c:2}}}}\ndigests: {{q.io/c:2: '{DIGEST}'}}")
    assert found.defaults() == {"a": "q.io/a:1", "b": {"c": f"q.io/c:2@{DIGEST}"}}
    # What tenants' pods and the catalogue take for an image takes this, too.
    assert re.fullmatch(IMAGE, found.defaults()["b"]["c"])


def test_no_digest_is_of_an_image_that_is_not_deployed() -> None:
    versions = Versions.read()
    assert versions.digests.keys() <= set(versions.names()), "run `python -m dev.versions pin`"
    assert [one for one in versions.digests.values() if not re.fullmatch(r"sha256:[0-9a-f]{64}", one)] == []


def test_every_published_image_is_pinned() -> None:
    versions = Versions.read()
    missing = [name for name in versions.names() if is_published(name) and name not in versions.digests]
    if missing:
        pytest.skip(
            f"{len(missing)} default images are deployed by tag; run `python -m dev.versions pin` where their"
            f" registries answer: {', '.join(missing)}"
        )


def test_the_operators_own_image_is_the_charts() -> None:
    values = yaml.safe_load((REPOSITORY / "helm/vre-operator/values.yaml").read_text())
    chart = yaml.safe_load((REPOSITORY / "helm/vre-operator/Chart.yaml").read_text())
    own = Versions.read().images["transfers"]
    assert own == f"{values['image']['repository']}:{chart['appVersion']}"
    assert not is_published(own)
