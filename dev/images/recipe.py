"""What an image is: steps, each leaving one layer, and the process that runs in it."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dev import oci

MECHANICS = "3"
"""Part of every key: raise it when dev/oci.py or dev/images/sandbox.py changes what a step produces."""


@dataclass(frozen=True)
class Step:
    """One layer: a shell script and the files it reads.

    The script runs as root inside the image so far, with the inputs under ``/run/build``. A host step runs
    outside, because it needs a tool that has no place in the image, and finds the image under ``$ROOT`` and
    the inputs under ``$ROOT/run/build``.
    """

    name: str
    script: str
    inputs: tuple[Path, ...] = ()
    host: bool = False


@dataclass(frozen=True)
class Process:
    """What starts in a container and how, as image configurations have it."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""


@dataclass(frozen=True)
class Image:
    """A named image: its steps from the lowest layer up, and its process."""

    name: str
    steps: tuple[Step, ...]
    process: Process

    @cached_property
    def layers(self) -> list[tuple[str, Step]]:
        """Each step with its key: a hash of all that goes into it and into the layers below it.

        Taken once in a process: what it builds and what it then names stays the same while files are edited.
        """
        key, keyed = _host(), []
        for step in self.steps:
            key = hashlib.sha256(f"{key} {_fingerprint(step)}".encode()).hexdigest()[:24]
            keyed.append((key, step))
        return keyed

    @cached_property
    def ref(self) -> str:
        """The image's name, with a tag that changes with its content."""
        keys = [key for key, _ in self.layers]
        content = json.dumps([keys, vars(self.process)], sort_keys=True)
        return f"localhost/vre-dev/{self.name}:{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def files(path: Path) -> Iterator[Path]:
    """Walk the files below ``path`` (or ``path`` itself) in a fixed order, without Python's caches."""
    if path.is_file():
        yield path
    elif path.name != "__pycache__":
        for child in sorted(path.iterdir()):
            yield from files(child)


def _host() -> str:
    """What an image takes from the machine that builds it: the distribution's packages."""
    release = platform.freedesktop_os_release()
    return f"{MECHANICS} {release['ID']} {release.get('VERSION_CODENAME')} {oci.architecture()}"


def _fingerprint(step: Step) -> str:
    digest = hashlib.sha256(f"{step.host} {step.script}".encode())
    for root in step.inputs:
        for path in files(root):
            executable = bool(path.stat().st_mode & 0o100)
            name = path.relative_to(root.parent)
            digest.update(f"{name} {executable} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()
