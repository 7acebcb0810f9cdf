"""The Gateway API's definitions, of the version that dev/go/gateway pins: no cluster has them by itself."""

import json
import os
import subprocess
from pathlib import Path

from dev.system import MissingError, find

_SOURCE = Path(__file__).parent / "go" / "gateway"
_MODULE = "sigs.k8s.io/gateway-api"
_KINDS = ("gatewayclasses", "gateways", "httproutes")


def definitions() -> list[Path]:
    """The files with what a tenant needs, as the module's standard channel has them.

    Go fetches the module once, and checks it against go.sum. MissingError where there is no Go, or nothing that
    has the module.
    """
    if not find("go"):
        raise MissingError("the program `go` is missing. Install Go: https://go.dev/doc/install")
    done = subprocess.run(
        ["go", "mod", "download", "-json", _MODULE],
        cwd=_SOURCE,
        env=os.environ | {"GOFLAGS": "", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise MissingError(f"Go does not get {_MODULE}: {done.stdout.strip()} {done.stderr.strip()}")
    folder = Path(json.loads(done.stdout)["Dir"]) / "config" / "crd" / "standard"
    return [folder / f"gateway.networking.k8s.io_{kind}.yaml" for kind in _KINDS]
