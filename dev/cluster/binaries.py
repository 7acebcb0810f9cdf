"""The cluster's programs, built from pinned Go modules.

They are kept outside the tree under the hash of what they are built from, so that a second run, another
clone or a changed branch finds its own set.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dev.cluster.paths import cache_dir
from dev.progress import Say, step
from dev.system import MissingError, find

SOURCE = Path(__file__).resolve().parents[1] / "go"
KUBE_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubectl",
)
# Name, module (a folder of SOURCE) and package of each program, in the sets that are built and kept together.
CLUSTER = (
    ("pause", ".", "./cmd/pause"),
    ("etcd", ".", "go.etcd.io/etcd/server/v3"),
    ("kube", ".", "./cmd/kube"),
    ("coredns", ".", "./cmd/coredns"),
    ("helm", ".", "helm.sh/helm/v3/cmd/helm"),
    ("local-path-provisioner", ".", "github.com/rancher/local-path-provisioner"),
    ("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
)
BENCH = (("contender", "contender", "."),)
_Targets = tuple[tuple[str, str, str], ...]


def binaries() -> Path:
    """Give the directory of the cluster's programs, building them if this source has none yet."""
    return _built(CLUSTER, links=dict.fromkeys(KUBE_PROGRAMS, "kube"))


def contender() -> Path:
    """Give the program of the bench's Go operator, building it if this source has none yet."""
    return _built(BENCH, links={}) / "contender"


def source_hash(targets: _Targets) -> str:
    """Hash what the programs are built from: their modules, so that a change of another set's keeps them."""
    wanted = {module for _, module, _ in targets}
    modules = {str(path.parent.relative_to(SOURCE)) for path in SOURCE.rglob("go.mod")}
    digest = hashlib.sha256()
    for path in sorted(path for path in SOURCE.rglob("*") if path.is_file()):
        relative = path.relative_to(SOURCE)
        module = relative.parts[0] if relative.parts[0] in modules else "."
        if module in wanted:
            digest.update(f"{relative}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _built(targets: _Targets, links: Mapping[str, str]) -> Path:
    final = cache_dir() / "bin" / source_hash(targets)
    if final.is_dir():
        return final
    _check_go()
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix="build-") as scratch:
        partial = Path(scratch) / "bin"
        for number, (name, module, package) in enumerate(targets, start=1):
            with step(f"building {name} ({number} of {len(targets)})") as say:
                _build(partial / name, SOURCE / module, package, say)
        for name, to in links.items():
            (partial / name).symlink_to(to)
        with _already_there_is_fine(final):
            partial.rename(final)
    return final


@contextmanager
def _already_there_is_fine(final: Path) -> Iterator[None]:
    """Let the first of two builders at the same time win."""
    try:
        yield
    except OSError:
        if not final.is_dir():
            raise


def _check_go() -> None:
    wanted = next(
        line.split()[1] for line in (SOURCE / "go.mod").read_text().splitlines() if line.startswith("go ")
    )
    remedy = f"Install Go {wanted} or newer: https://go.dev/doc/install"
    if not find("go"):
        raise MissingError(f"the program `go` is missing. {remedy}")
    # Any Go since 1.21 may fetch a newer one by itself (GOTOOLCHAIN): only Go knows if it can.
    done = subprocess.run(["go", "version"], cwd=SOURCE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MissingError(f"{done.stderr.strip()}. {remedy}")


def _build(output: Path, module: Path, package: str, say: Say) -> None:
    flags = ["-trimpath", "-buildvcs=false", "-mod=readonly", "-v", "-ldflags", _link_flags(module)]
    process = subprocess.Popen(
        ["go", "build", *flags, "-o", str(output), package],
        cwd=module,
        env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout  # noqa: S101 - for the type checker: it is a pipe
    lines = []
    for line in process.stdout:
        lines.append(line)
        say(f"{len(lines)} packages compiled or fetched")
    if process.wait() != 0:
        raise RuntimeError(f"building {package} failed:\n{''.join(lines[-20:])}")


def _link_flags(module: Path) -> str:
    """Stamp the versions: clients and the scheduler's feature checks read them."""
    required = {
        path: version
        for path, version, *_ in (
            line.removeprefix("require").split()
            for line in (module / "go.mod").read_text().splitlines()
            if " v" in line and "=>" not in line
        )
    }
    stamps: dict[str, str] = {}
    if kubernetes := required.get("k8s.io/kubernetes"):
        major, minor, _ = kubernetes.removeprefix("v").split(".", 2)
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            stamps |= {
                f"{package}.gitVersion": kubernetes,
                f"{package}.gitMajor": major,
                f"{package}.gitMinor": minor,
                f"{package}.gitTreeState": "clean",
            }
    if helm := required.get("helm.sh/helm/v3"):
        stamps["helm.sh/helm/v3/internal/version.version"] = helm
    if kwok := required.get("sigs.k8s.io/kwok"):
        stamps["sigs.k8s.io/kwok/pkg/consts.Version"] = kwok
    return " ".join(("-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())))
