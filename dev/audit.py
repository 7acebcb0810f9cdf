"""``python -m dev.audit``: known vulnerabilities of what the lock files name, by pip-audit.

pip-audit takes a service that knows nothing for one that has nothing to tell: behind a mirror of PyPI without
advisories everything would be well. So each service is first asked for a release that everybody warns of, and
whoever does not warn of it is not asked for ours.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).parents[1]
LOCKS = tuple(
    _REPOSITORY / path
    for path in (
        "requirements.lock",
        "dev/requirements.lock",
        "dev/bootstrap/uv.lock",
        "dev/images/locks/build.lock",
    )
)
"""What the operator's image has, what makes it, and the tools. The stand-ins of dev/images are not shipped."""
WARNED_OF = "jinja2==2.4.1"


class SilentError(Exception):
    """The service cannot be asked; the message says why."""


@dataclass
class Report:
    """findings, unaudited: a line for each. audited: how many packages."""

    findings: list[str] = field(default_factory=list)
    unaudited: list[str] = field(default_factory=list)
    audited: int = 0


def ask(lock: Path, service: Sequence[str]) -> list[dict[str, Any]]:
    """What pip-audit tells of each package. service: its options."""
    given = ("--requirement", str(lock), "--require-hashes", "--disable-pip", "--format", "json")
    command = [sys.executable, "-m", "pip_audit", *given, "--progress-spinner", "off", *service]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        lines = done.stderr.strip().splitlines()
        raise SilentError(lines[-1] if lines else f"pip-audit ends with {done.returncode}") from None
    return packages


def check_service(service: Sequence[str]) -> None:
    """Raise SilentError for one that does not warn where everybody does."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "requirements.txt")
        lock.write_text(f"{WARNED_OF} --hash=sha256:{'0' * 64}\n")
        (package,) = ask(lock, service)
    if not package.get("vulns"):
        said = package.get("skip_reason") or "no advisory"
        raise SilentError(f"asked for {WARNED_OF}, of which everybody warns: {said}")


def audit(locks: Sequence[Path], service: Sequence[str]) -> Report:
    """All of the lock files."""
    report = Report()
    for lock in locks:
        name = lock.relative_to(_REPOSITORY) if lock.is_relative_to(_REPOSITORY) else lock.name
        for package in ask(lock, service):
            report.audited += "vulns" in package
            report.findings += [f"{name}: {line}" for line in _findings(package)]
            if reason := package.get("skip_reason"):
                report.unaudited.append(f"{name}: {package['name']}: {reason}")
    return report


def _findings(package: dict[str, Any]) -> Iterator[str]:
    for found in package.get("vulns", ()):
        ids = ", ".join([found["id"], *found.get("aliases", ())])
        fixed = " or ".join(found["fix_versions"]) or "no release yet"
        yield f"{package['name']} {package['version']}: {ids}; fixed in {fixed}"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing is found; when nobody can be asked, too, unless that is required."""
    parser = argparse.ArgumentParser(prog="python -m dev.audit", description="Known vulnerabilities.")
    parser.add_argument("--required", action="store_true", help="fail, too, when no service answers")
    parser.add_argument("--osv-url", help="ask this service alone, which speaks as api.osv.dev/v1/query")
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS, help="requirements with hashes")
    given = parser.parse_args(arguments)
    services = {"PyPI": ["--vulnerability-service", "pypi"], "OSV": ["--vulnerability-service", "osv"]}
    if given.osv_url:
        services = {given.osv_url: ["--vulnerability-service", "osv", "--osv-url", given.osv_url]}
    silent: list[str] = []
    for name, service in services.items():
        try:
            check_service(service)
            report = audit(given.locks, service)
        except SilentError as error:
            silent.append(f"{name}: {error}")
            continue
        for line in (*report.findings, *report.unaudited):
            print(f"  {line}")
        print(
            f"audit: {report.audited} locked packages asked for at {name}: {len(report.findings)} findings,"
            f" {len(report.unaudited)} of which nobody knows"
        )
        return 1 if report.findings or report.unaudited else 0
    print("audit: SKIPPED, nothing was audited: no advisory service answers")
    for line in silent:
        print(f"  {line}")
    return 1 if given.required else 0


if __name__ == "__main__":
    sys.exit(main())
