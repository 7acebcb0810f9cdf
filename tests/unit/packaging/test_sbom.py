"""The bill of materials, of an image with one package of each kind."""

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.validation.json import JsonStrictValidator

from dev import oci, sbom

SITE = "usr/local/lib/python3.11/site-packages"
STATUS = """\
Package: libfoo1
Status: install ok installed
Architecture: amd64
Version: 1:2.3-4+deb12u1
Description: a library
 in two lines

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
LOCK = f"""\
some-lib==1.2.0 ; sys_platform != 'win32' \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
    # via vre-operator
other==3 \\
    --hash=sha256:{"c" * 64}
"""


def image(folder: Path, **more: str) -> Path:
    """An archive of two layers; more: the METADATA of more packages."""
    packages = {
        "vre_operator-0.1.0": "Name: vre-operator\nVersion: 0.1.0\nLicense-Expression: Apache-2.0\n"
        "Requires-Dist: some.lib>=1\nRequires-Dist: other; extra == 'more'\n\nRequires-Dist: no header\n",
        "some_lib-1.2.0": "Name: Some_Lib\nVersion: 1.2.0\nLicense: MIT\nRequires-Dist: other\n",
        "other-3": "Name: other\nVersion: 3\nClassifier: License :: OSI Approved :: BSD License\n",
    }
    layers = [
        {"var/lib/dpkg/status": STATUS, "usr/lib/os-release": 'ID=debian\nVERSION_CODENAME="bookworm"\n'},
        {
            f"{SITE}/{name}.dist-info/METADATA": f"Metadata-Version: 2.4\n{text}"
            for name, text in (packages | more).items()
        },
    ]
    for number, files in enumerate(layers):
        for name, text in files.items():
            file = folder / f"tree{number}" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    packed = [oci.write_layer(folder / f"{number}.layer", folder / f"tree{number}") for number in (0, 1)]
    return oci.write_image(folder / "image.tar", "localhost/some:1", packed)


def written(archive: Path) -> dict[str, Any]:
    text = sbom.text(sbom.bom(sbom.contents(archive), sbom.locked(LOCK)))
    assert JsonStrictValidator(sbom.VERSION).validate_str(text) is None
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_names_what_is_in_the_image_with_hashes_and_licences(tmp_path: Path) -> None:
    archive = image(tmp_path)
    found = written(archive)
    components = {one["name"]: one for one in found["components"]}
    assert components.keys() == {"vre-operator", "some-lib", "other", "libfoo1"}
    assert (
        components["libfoo1"]["purl"] == "pkg:deb/debian/libfoo1@1:2.3-4%2Bdeb12u1?arch=amd64&distro=bookworm"
    )
    (files,) = components["some-lib"]["externalReferences"]
    assert [one["content"][:1] for one in files["hashes"]] == ["a", "b"]
    assert components["some-lib"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert components["other"]["licenses"] == [{"license": {"name": "BSD License"}}]
    needs = {one["ref"]: one.get("dependsOn", []) for one in found["dependencies"]}
    assert needs["pkg:pypi/vre-operator@0.1.0"] == ["pkg:pypi/some-lib@1.2.0"]
    assert needs["pkg:pypi/some-lib@1.2.0"] == ["pkg:pypi/other@3"]
    root = found["metadata"]["component"]
    assert (root["type"], root["version"]) == ("container", "0.1.0")
    assert root["hashes"][0]["content"] == sbom.contents(archive).digest.removeprefix("sha256:")


@pytest.mark.parametrize("text", ["Name: smuggled\nVersion: 1\n", "Name: other\nVersion: 4\n"])
def test_what_no_lock_names_is_not_let_through(tmp_path: Path, text: str) -> None:
    with pytest.raises(LookupError, match=r"is in the image, and not in requirements\.lock"):
        written(image(tmp_path, **{"zz-1": text}))


def test_every_line_of_the_real_lock_is_read() -> None:
    text = sbom.LOCK.read_text()
    found = sbom.locked(text)
    assert len(found) == sum("==" in line for line in text.splitlines() if line[:1].isalnum())
    assert sum(len(one.hashes) for one in found.values()) == text.count("--hash=")
    assert all(one.hashes for one in found.values())
