"""``python -m dev.versions pin``: ask the registries what the default images are, and write it down.

The operator's own client asks, so what is written is what the operator would be told. An image whose registry
does not answer keeps what stands, is named, and makes the exit code 1: nothing is guessed.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from vre_operator.api.versions import Versions
from vre_operator.engine.errors import TargetError
from vre_operator.targets.registry.http import RegistryHttp
from vre_operator.targets.registry.reference import Reference

FILE = Path(__file__).parents[1] / "vre_operator" / "versions.yaml"


def is_published(name: str) -> bool:
    """Whether it names its registry; Docker Hub's short names are not used, the operator's own has none yet."""
    host, slash, _ = name.partition("/")
    return bool(slash) and ("." in host or ":" in host)


def pin(file: Path, *, ca_bundle: str = "", cidrs: tuple[str, ...] = ()) -> dict[str, str]:
    """Bring the digests in ``file`` up to date; for each image that nobody tells of, why."""
    text = file.read_text(encoding="utf-8")
    known = Versions.read(text)
    names = [name for name in known.names() if is_published(name)]
    told, missed = asyncio.run(_ask(names, ca_bundle, cidrs))
    digests = known.digests | told
    kept = {name: digests[name] for name in names if name in digests}
    # What is above stays as people wrote it, comments included.
    head = text[: text.index("\ndigests:") + 1]
    file.write_text(head + yaml.safe_dump({"digests": kept}, width=1000), encoding="utf-8")
    return missed


async def _ask(
    names: Sequence[str], ca_bundle: str, cidrs: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, str]]:
    ways = {host: RegistryHttp(host, ca_bundle, cidrs, clock=time.monotonic) for host in map(_host, names)}
    told, missed = {}, {}
    # One after the other: registries count what anybody asks in a minute.
    for name in names:
        try:
            told[name] = await ways[_host(name)].digest(Reference.parse(name), None)
        except TargetError as error:
            missed[name] = error.message
    return told, missed


def _host(name: str) -> str:
    return Reference.parse(name).host


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when each was told of."""
    parser = argparse.ArgumentParser(prog="python -m dev.versions", description="The default images.")
    commands = parser.add_subparsers(dest="command", required=True)
    pinning = commands.add_parser("pin", help="ask the registries for the digests, and write them down")
    pinning.add_argument("--file", type=Path, default=FILE, help="versions.yaml")
    pinning.add_argument("--ca-bundle", type=Path, help="PEM certificates trusted beside the public ones")
    pinning.add_argument("--cidr", action="append", default=[], help="network of a registry that is not public")
    given = parser.parse_args(arguments)
    ca_bundle = given.ca_bundle.read_text() if given.ca_bundle else ""
    missed = pin(given.file, ca_bundle=ca_bundle, cidrs=tuple(given.cidr))
    for name, why in missed.items():
        print(f"not pinned anew: {name}: {why}", file=sys.stderr)
    found = Versions.read(given.file.read_text(encoding="utf-8"))
    print(f"{len(found.digests)} of {len(found.names())} default images are pinned in {given.file.name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
