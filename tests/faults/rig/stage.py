"""Everything together: a bare cluster, a provider, a proxy in front of each, and the operator between them."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dev.cluster import Cluster
from dev.oidc import provider as oidc_provider
from dev.oidc.provider import Registry
from tests import readymaker
from tests.faults.rig.api import Api
from tests.faults.rig.background import Background
from tests.faults.rig.calls import Call, of_objects, without
from tests.faults.rig.operator import Process
from tests.faults.rig.proxy import Proxy
from tests.faults.rig.recorders import Audit, Recorder
from tests.long import LONG
from tests.site import ACCOUNT, CRD_STANDS, GUARD_SECONDS, ROOT, SYSTEM, Operator, Site, as_the_chart_has_it

USER = ACCOUNT
# A provider that is only slow must not pass for one that hangs, on a machine that is full for hours.
PROVIDER_SECONDS = 10.0 if LONG else 3.0
RESYNC_SECONDS = 10
_LOOK = 0.02
_SYNCED = 0.4
_OF_KEYCLOAK = (
    r"(?<=/realms/)[^/]+",
    r"(?<=/clients/)[^/]+",
    r"(?<=/optional-client-scopes/)[^/]+",
    r"(?<=/clients-registrations/default/)[^/]+",
)
_GROWING: dict[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "growing"},
    "provisioner": "example.org/none",
    "allowVolumeExpansion": True,
}


class Hung(Exception):
    """A state was not reached; the text says what was seen last."""


@dataclass
class Stage:
    """`door`: the proxy in front of the API server. issuer: the one in front of oidc-provider;
    keycloak: one that serves as soon as there is a Keycloak.

    deaths: of the operator, that nobody ordered. run: tells this run's tenants from those of another one.
    """

    background: Background
    cluster: Cluster
    api: Api
    recorder: Recorder
    audit: Audit
    door: Proxy
    issuer: Proxy
    keycloak: Proxy
    registry: Registry
    operator: Process
    deaths: list[str] = field(default_factory=list)
    tenants: int = 0
    run: str = field(default_factory=lambda: secrets.token_hex(2))

    def start(self) -> None:
        """An operator that has taken the lead."""
        size = self.operator.log_size
        self.operator.start()
        self.operator.wait_for("leading as", size)

    def restart(self, **environment: str) -> None:
        """Another operator, with these settings for itself alone, that has read everything once."""
        self.operator.kill()
        self.operator.extra = environment
        self.start()
        self.at_rest(_SYNCED, lambda call: True)
        self.operator.extra = {}

    def revive(self) -> None:
        """Start the operator again if it is dead; a death that nobody ordered is noted."""
        if self.operator.alive:
            return
        if self.operator.starts > self.operator.kills:
            self.deaths.append(f"the operator ended by itself in life {self.operator.starts}")
            self.operator.kills = self.operator.starts
        self.operator.start()

    def until(self, holds: Callable[[], object], what: str, seconds: float = GUARD_SECONDS) -> None:
        """Wait, and bring the operator back whenever it was killed. Raises Hung."""
        end = time.monotonic() + seconds
        while not holds():
            self.recorder.check()
            self.revive()
            if time.monotonic() > end:
                raise Hung(what)
            time.sleep(_LOOK)
        self.revive()

    def at_rest(self, seconds: float, whose: Callable[[Call], bool], guard: float = GUARD_SECONDS) -> None:
        """Wait until for so long nothing was asked about what is theirs, and nothing about whole kinds."""
        end = time.monotonic() + guard
        mark, seen, since = len(self.door.journal), -1, time.monotonic()
        while time.monotonic() - since < seconds:
            self.revive()
            asked = [
                call for call in self.door.journal[mark:] if whose(call) or "/namespaces/" not in call.path
            ]
            if len(asked) != seen:
                seen, since = len(asked), time.monotonic()
            if time.monotonic() > end:
                raise Hung(f"it never comes to rest: {[str(call) for call in asked[-5:]]}")
            time.sleep(_LOOK)


@contextmanager
def stage(cluster: Cluster, folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Stage]:
    """With oidc-provider behind the issuer's proxy; the operator runs until the block ends."""
    with ExitStack() as stack:
        background = stack.enter_context(Background())
        api = Api(background, cluster.kubeconfig)
        stack.callback(api.close)
        door = Proxy(background, folder / "door", of_objects)
        issuer = Proxy(background, folder / "issuer", without(r"(?<=/reg/)[^/]+"))
        keycloak = Proxy(background, folder / "keycloak", without(*_OF_KEYCLOAK))
        (folder / "provider").mkdir()
        registry = stack.enter_context(
            oidc_provider.running(folder / "provider", "token-of-the-strict-server", issuer.url)
        )
        registry.rotate(False)
        stack.enter_context(door.to(api.server, api.ca))
        stack.enter_context(issuer.to(registry.url, registry.ca))
        environment = {**equip(cluster, folder, door, [issuer.ca, keycloak.ca]), **(environment or {})}
        recorder = Recorder(background, api)
        recorder.start()
        stack.callback(recorder.stop)
        stack.enter_context(readymaker.running(cluster.kubeconfig))
        operator = stack.enter_context(Process(environment, folder / "log"))
        door.kill = issuer.kill = keycloak.kill = operator.kill
        made = Stage(
            background,
            cluster,
            api,
            recorder,
            Audit(cluster.audit_log),
            door,
            issuer,
            keycloak,
            registry,
            operator,
        )
        made.start()
        yield made


def equip(cluster: Cluster, folder: Path, door: Proxy, authorities: list[str]) -> dict[str, str]:
    """The CRD, the chart's rights, a kubeconfig that leads through `door`, and the operator's environment."""
    site = Site(cluster, Operator(cluster, folder), Registry("", ""))
    site.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    for wait in CRD_STANDS:
        site.kubectl(*wait)
    site.kubectl("apply", "--server-side", "-f", "-", stdin=_GROWING)
    if site.get("namespace", SYSTEM) is None:
        site.kubectl("create", "namespace", SYSTEM)
    config: dict[str, Any] = as_the_chart_has_it(site)
    for entry in config["clusters"]:
        authority = base64.b64encode(door.ca.encode()).decode()
        entry["cluster"] = {"server": door.url, "certificate-authority-data": authority}
    (folder / "kubeconfig").write_text(json.dumps(config))
    settings = {
        "caBundle": "".join(authorities),
        "issuerCidrs": ["127.0.0.0/8", "::1/128"],
        "resyncSeconds": RESYNC_SECONDS,
        "resolveTags": False,
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(settings))
    return {
        "KUBECONFIG": str(folder / "kubeconfig"),
        "POD_NAMESPACE": SYSTEM,
        # Restarted in the same pod, as the kubelet does it: the lease need not run out first.
        "POD_NAME": "vre-operator-0",
        # Of several rigs on one machine each may stand still for seconds, and a leader that does so ends, as it
        # should: that is the subject of test_two_operators.py alone.
        "VRE_LEASE_SECONDS": "60",
        "VRE_SITE_FILE": str(folder / "site.yaml"),
        "VRE_PROVIDER_TIMEOUT_SECONDS": str(PROVIDER_SECONDS),
        "VRE_LOG_LEVEL": "debug",
    }
