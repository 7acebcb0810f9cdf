"""``python -m dev.demo up|down|prepare|bench|logs [--cluster NAME]``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Error as BrowserError

from dev import keycloak
from dev.cluster import Cluster
from dev.demo import bench, journey, tenant
from dev.demo.browser import browser, person
from dev.demo.installation import ALICE, QUICKSTART, REPOSITORY, SYSTEM, Installation, prepare, quickstart
from dev.demo.kubectl import KubectlError
from dev.images.sandbox import BuildError
from dev.progress import note, step
from dev.system import MissingError

_ALBUM = Path("artifacts") / "demo"
_FAILURES = (
    MissingError,
    BuildError,
    KubectlError,
    tenant.NotReadyError,
    BrowserError,
    AssertionError,  # what a page should have shown
    RuntimeError,
    OSError,
)


def main() -> None:
    """Run one command; what goes wrong is told in words, not as a traceback."""
    parser = argparse.ArgumentParser(prog="python -m dev.demo", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "prepare", "bench", "logs"))
    parser.add_argument("--cluster", default="demo", help="name of the cluster (demo)")
    arguments = parser.parse_args()
    installation = Installation(Cluster(arguments.cluster))
    commands: dict[str, Callable[[], None]] = {
        "up": lambda: up(installation),
        "down": installation.cluster.down,
        "prepare": prepare,
        "bench": lambda: measure(installation),
        "logs": lambda: print(logs(installation)),
    }
    try:
        commands[arguments.command]()
    except _FAILURES as error:
        print(f"\nerror: {error}", file=sys.stderr)
        if arguments.command in {"up", "bench"} and installation.cluster.status()["ready"]:
            print(f"\n{logs(installation)}", file=sys.stderr)
        sys.exit(1)


def up(installation: Installation) -> None:
    """From nothing to a person's notebook."""
    prepare()
    installation.install(ports=True)
    manifest = quickstart()
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    with step(f"a tenant from {QUICKSTART.relative_to(REPOSITORY)}"):
        installation.create_tenant(manifest)
        # Steady, because a new operator first finds what it wants to change in a tenant that was Ready.
        tenant.wait_ready(installation.kubectl, namespace, name, seconds=300, steady=6, say=note)
    url = f"https://{manifest['spec']['hostname']}"
    with step("the journey of alice, in a browser") as say:
        note(f"her first cell printed: {walk(installation, url, say)}")
    _tell(installation, url)


def walk(installation: Installation, url: str, say: journey.Say) -> str:
    """Let alice log in, start a notebook and run a cell; give what it printed."""
    cluster = installation.cluster
    with browser(cluster.ca_file, keycloak.DOMAIN, str(cluster.node_ip)) as started, person(started) as page:
        return journey.whole(page, url, ALICE, journey.Album(_ALBUM), say)


def measure(installation: Installation) -> None:
    """Install, then measure."""
    prepare()
    installation.install()
    bench.run(installation)


def logs(installation: Installation) -> str:
    """What to look at when something failed."""
    manifest = quickstart()
    return tenant.explain(installation.kubectl, manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def _tell(installation: Installation, url: str) -> None:
    cluster = installation.cluster
    where = "A browser on this machine finds the names by itself (*.localhost)."
    if cluster.status()["https_port"] is None:
        where = f"The ports 80 and 443 of this machine are taken: let the names lead to {cluster.node_ip}."
    people = "\n".join(f"    {name:8} {password}" for name, password in keycloak.PASSWORDS.items())
    print(f"""
The VRE is ready: {url}
Log in as one of these (bob is in no allowed group, and is refused):
{people}

{where} It warns of
the demo's own CA unless it trusts {cluster.ca_file}

    export KUBECONFIG={cluster.kubeconfig} PATH={cluster.bin}:$PATH
    kubectl get vre --all-namespaces
    kubectl --namespace {SYSTEM} logs deployment/vre-operator

Pictures of the journey: {_ALBUM}/
`make demo` again brings changes in, `make demo-down` ends it.""")


if __name__ == "__main__":
    main()
