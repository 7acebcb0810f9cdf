"""``python -m dev.sbom``: what is in the operator's image, as CycloneDX.

Read from the image itself and not from what it was meant to have: a package that no lock file names ends it.
"""

import argparse
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser, Parser
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from dev import oci
from dev.images import build

_REPOSITORY = Path(__file__).parents[1]
LOCK = _REPOSITORY / "requirements.lock"
VERSION = SchemaVersion.V1_6
_OWN = "vre-operator"
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)((?:.*\\\n)+.*)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_PYTHON = re.compile(r"usr/local/lib/python3[^/]*/site-packages/[^/]+\.dist-info/METADATA")
_DEBIAN = "var/lib/dpkg/status"
_RELEASE = "usr/lib/os-release"


@dataclass(frozen=True)
class Locked:
    """hashes: of every file that the lock admits, for all platforms; one of them was installed."""

    version: str
    hashes: tuple[str, ...]


@dataclass
class Contents:
    """python, debian: each package's own description."""

    digest: str
    python: list[Message] = field(default_factory=list)
    debian: list[Message] = field(default_factory=list)
    release: Mapping[str, str] = field(default_factory=dict)


def locked(text: str) -> dict[NormalizedName, Locked]:
    """The packages of a lock file, by their canonical names."""
    return {
        canonicalize_name(name): Locked(version, tuple(_HASH.findall(rest)))
        for name, version, rest in _LOCKED.findall(text)
    }


def contents(archive: Path) -> Contents:
    """What package managers say of themselves in an image."""
    digest, files = oci.read_image(
        archive, lambda name: name in (_DEBIAN, _RELEASE) or bool(_PYTHON.fullmatch(name))
    )
    found = Contents(digest)
    for name, content in sorted(files.items()):
        if name == _DEBIAN:
            stanzas = content.decode().strip().split("\n\n")
            found.debian = [
                package for stanza in stanzas if _is_installed(package := Parser().parsestr(stanza))
            ]
        elif name == _RELEASE:
            pairs = (line.partition("=") for line in content.decode().splitlines())
            found.release = {key: value.strip('"') for key, _, value in pairs}
        else:
            found.python.append(BytesParser().parsebytes(content, headersonly=True))
    return found


def _is_installed(package: Message) -> bool:
    return str(package["Status"]).endswith(" installed")


def bom(image: Contents, lock: Mapping[NormalizedName, Locked]) -> Bom:
    """The image's bill of materials. LookupError for what is in it and in no lock."""
    # The same image has the same number.
    made = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, image.digest))
    components = {canonicalize_name(str(one["Name"])): _python(one, lock) for one in image.python}
    own = components[canonicalize_name(_OWN)]
    root = Component(
        name=_OWN,
        version=own.version,
        type=ComponentType.CONTAINER,
        bom_ref="image",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=image.digest.removeprefix("sha256:"))],
    )
    made.metadata.component = root
    debian = [_debian(one, image.release) for one in image.debian]
    made.components.update([*components.values(), *debian])
    made.register_dependency(root, [own, *debian])
    for one in image.python:
        made.register_dependency(
            components[canonicalize_name(str(one["Name"]))],
            [components[need] for need in _needs(one) if need in components],
        )
    return made


def _python(package: Message, lock: Mapping[NormalizedName, Locked]) -> Component:
    name, version = canonicalize_name(str(package["Name"])), str(package["Version"])
    is_own = name == canonicalize_name(_OWN)
    files = []
    if not is_own:
        if name not in lock or lock[name].version != version:
            raise LookupError(f"{name} {version} is in the image, and not in {LOCK.name}")
        files = [
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(f"https://pypi.org/project/{name}/{version}/#files"),
                comment=f"the files that {LOCK.name} admits; the one for this platform is in the image",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in lock[name].hashes],
            )
        ]
    purl = PackageURL("pypi", name=name, version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION if is_own else ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=None if is_own else purl,
        licenses=_licenses(package),
        external_references=files,
    )


def _licenses(package: Message) -> list[License]:
    make = LicenseFactory()
    said = str(package["License-Expression"] or package["License"] or "").strip()
    # Some have the whole text there.
    if said and "\n" not in said:
        return [make.make_from_string(said)]
    kinds = [kind for kind in package.get_all("Classifier", []) if kind.startswith("License ::")]
    return [make.make_with_name(kind.rpartition(" :: ")[2]) for kind in kinds]


def _needs(package: Message) -> Iterator[NormalizedName]:
    for text in package.get_all("Requires-Dist", []):
        requirement = Requirement(text)
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _debian(package: Message, release: Mapping[str, str]) -> Component:
    purl = PackageURL(
        "deb",
        namespace=release.get("ID", "debian"),
        name=str(package["Package"]),
        version=str(package["Version"]),
        qualifiers={
            "arch": str(package["Architecture"]),
            "distro": release.get("VERSION_CODENAME", ""),
        },
    )
    return Component(
        name=str(package["Package"]), version=str(package["Version"]), bom_ref=purl.to_string(), purl=purl
    )


def text(made: Bom) -> str:
    """As JSON, which its schema admits."""
    written = make_outputter(made, OutputFormat.JSON, VERSION).output_as_string(indent=2)
    if error := JsonStrictValidator(VERSION).validate_str(written):
        raise ValueError(f"this is no CycloneDX {VERSION.to_version()}: {error}")
    return written + "\n"


def main() -> None:
    """Write it for the image as the tree is now, which is built if need be."""
    parser = argparse.ArgumentParser(prog="python -m dev.sbom", description="What the operator's image has.")
    parser.add_argument("--output", type=Path, default=_REPOSITORY / "artifacts" / "sbom.json")
    output = parser.parse_args().output
    found = contents(build(["operator"])["operator"])
    written = text(bom(found, locked(LOCK.read_text())))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(written)
    count = len(json.loads(written)["components"])
    print(f"{output}: {count} components of the operator's image {found.digest}")


if __name__ == "__main__":
    main()
