"""The distribution's package archive, as the host's own apt knows it; nothing about it is written down here."""

import platform
import subprocess
from pathlib import Path

# Nothing that apt needs for itself may end up in a layer.
_CONFIGURATION = """\
Dir::Etc::sourcelist "/run/build/.apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "/run/build/.apt/lists";
Dir::Cache "/run/build/.apt/cache";
Dir::Log "/run/build/.apt/log";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dpkg::Use-Pty "false";
Acquire::Languages "none";
"""


def bootstrap_environment() -> dict[str, str]:
    """Give debootstrap's suite, mirror and components as environment variables."""
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    matching = [(uri, component) for uri, release, component in _sources() if release == suite]
    if not matching:
        raise LookupError(f"apt knows no mirror of {suite}: run `apt-get update`")
    return {
        "SUITE": suite,
        "MIRROR": matching[0][0],
        "COMPONENTS": ",".join(dict.fromkeys(component for _, component in matching)),
    }


def configure(directory: Path) -> None:
    """Set up apt in ``directory`` (an image's /run/build/.apt), for use with APT_CONFIG."""
    for name in ("lists/partial", "cache/archives/partial", "log"):
        (directory / name).mkdir(parents=True)
    entries = dict.fromkeys(f"deb {uri} {release} {component}\n" for uri, release, component in _sources())
    (directory / "sources.list").write_text("".join(entries))
    settings = [line + "\n" for line in _run("apt-config", "dump") if line.lower().startswith("acquire::")]
    proxies = [line for line in settings if "proxy" in line.lower()]
    (directory / "apt.conf").write_text(_CONFIGURATION + "".join(proxies))


def _sources() -> list[tuple[str, str, str]]:
    """List (mirror, suite, component) of the distribution itself; third-party sources stay out of images."""
    shown = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    lines = _run("apt-get", "indextargets", "--format", shown, "Created-By: Packages")
    distribution = platform.freedesktop_os_release()["ID"]
    rows = [line.split("|") for line in lines]
    return [(uri, release, part) for origin, uri, release, part in rows if origin.lower() == distribution]


def _run(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
