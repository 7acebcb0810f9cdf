"""Two operators that want to lead, each with a token of its own, so that the audit log tells them apart."""

from __future__ import annotations

import base64
import json
import os
import signal
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dev.cluster import Cluster
from dev.oidc.provider import Registry
from tests.site import GUARD_SECONDS, SYSTEM, Operator, Site, as_the_chart_has_it

T = TypeVar("T")
Json = dict[str, Any]
CREDENTIAL = "authentication.kubernetes.io/credential-id"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
LEASE_SECONDS = 6


@dataclass
class Rival:
    """`credential`: what the audit log calls its token."""

    name: str
    operator: Operator
    credential: str

    @property
    def pid(self) -> int:
        assert self.operator.process is not None
        return self.operator.process.pid

    @property
    def alive(self) -> bool:
        return self.operator.process is not None and self.operator.process.poll() is None

    def send(self, how: signal.Signals) -> None:
        assert self.operator.process is not None
        self.operator.process.send_signal(how)

    def ended(self) -> int:
        """Its exit code; only a guard against a hang."""
        assert self.operator.process is not None
        return self.operator.process.wait(GUARD_SECONDS)

    def revive(self) -> None:
        """As the kubelet does it with a container that ended."""
        if not self.alive:
            self.operator.start()


@dataclass
class Arena:
    """`rivals`: none runs at first."""

    site: Site
    rivals: Sequence[Rival]
    _events: list[Json] = field(default_factory=list)
    _read: int = 0

    def lease(self) -> Json | None:
        return self.site.get("-n", SYSTEM, "lease", "vre-operator")

    def holder(self) -> str:
        lease = self.lease()
        return str(lease["spec"].get("holderIdentity") or "") if lease else ""

    def leader(self) -> Rival:
        """Wait until one of them leads and says so."""

        def look() -> Rival | None:
            holder = self.holder()
            return next((rival for rival in self.rivals if rival.name == holder and rival.alive), None)

        return wait(look)

    def other(self, rival: Rival) -> Rival:
        return next(one for one in self.rivals if one is not rival)

    def fill(self) -> Rival:
        """Both run, one leads and the other one waits; the one that leads."""
        since = self.mark()
        for rival in self.rivals:
            if rival.alive:
                rival.send(signal.SIGCONT)  # should a test have failed while it was stopped
            rival.revive()
        leader = self.leader()
        other = self.other(leader)
        wait(lambda: not other.alive or any(_asks_for_it(event) for event in self.of(other, since)))
        assert other.alive, f"{other.name} ended: {other.operator.log[-1:]}"
        return leader

    def events(self) -> list[Json]:
        """What the API server has answered, in its order."""
        with self.site.cluster.audit_log.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                if (event := json.loads(line)).get("stage") == "ResponseComplete":
                    self._events.append(event)
        return self._events

    def mark(self) -> int:
        return len(self.events())

    def of(self, rival: Rival, since: int) -> list[Json]:
        return [event for event in self.events()[since:] if credential(event) == rival.credential]

    def writes(self, rival: Rival, since: int = 0) -> list[Json]:
        """What it changed, without the lease."""
        return [
            event
            for event in self.of(rival, since)
            if event["verb"] in WRITES and event["objectRef"]["resource"] != "leases"
        ]

    def took(self, rival: Rival, since: int) -> Json:
        """Its first write of the lease since then that was accepted."""

        def look() -> Json | None:
            found = (
                event
                for event in self.of(rival, since)
                if event["verb"] in ("create", "update")
                and event["objectRef"]["resource"] == "leases"
                and event["responseStatus"]["code"] < 300
            )
            return next(found, None)

        return wait(look)

    def overlaps(self, since: int) -> list[str]:
        """Writes of one after the other had taken the lease, until it takes the lease itself."""
        leading: str = ""
        names = {rival.credential: rival.name for rival in self.rivals}
        found = []
        for event in sorted(self.events()[since:], key=lambda one: one["requestReceivedTimestamp"]):
            who = credential(event)
            if who not in names or event["verb"] not in WRITES or event["responseStatus"]["code"] >= 300:
                continue
            if event["objectRef"]["resource"] == "leases":
                leading = who
            elif leading and who != leading:
                found.append(f"{names[who]}: {event['verb']} {event['requestURI']}")
        return found


def client_of(registry: Registry, tenant: str) -> tuple[str, str]:
    """id and secret of a client that a person made for the tenant."""
    wanted = {"redirect_uris": [f"https://{tenant}.example.org/hub/oauth_callback"]}
    request = urllib.request.Request(  # noqa: S310 the provider of this test
        f"{registry.url}/reg", json.dumps(wanted).encode(), {"Content-Type": "application/json"}
    )
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=registry.ca))
    with urllib.request.build_opener(urllib.request.ProxyHandler({}), tls).open(request) as answer:
        made = json.load(answer)
    return made["client_id"], made["client_secret"]


def _asks_for_it(event: Json) -> bool:
    return bool(event["objectRef"]["resource"] == "leases")


def credential(event: Json) -> str:
    return str(next(iter((event["user"].get("extra") or {}).get(CREDENTIAL) or ()), ""))


def wait(look: Callable[[], T | None], seconds: float = GUARD_SECONDS) -> T:
    """What `look` gives as soon as it is true; the limit only guards against a hang."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"still {seen!r}"
        time.sleep(0.01)
    return seen


@contextmanager
def rivalry(site: Site, folder: Path, lease_seconds: float = LEASE_SECONDS) -> Iterator[Arena]:
    """Beside a site whose own operator does not run."""
    rivals = []
    for name in ("left", "right"):
        place = folder / name
        place.mkdir()
        config = as_the_chart_has_it(site)
        (place / "kubeconfig").write_text(json.dumps(config))
        (place / "site.yaml").write_text((site.operator.folder / "site.yaml").read_text())
        environment = {"POD_NAME": name, "VRE_LEASE_SECONDS": str(lease_seconds)}
        operator = Operator(site.cluster, place, environment)
        rivals.append(Rival(name, operator, f"JTI={_claims(config)['jti']}"))
    try:
        yield Arena(site, rivals)
    finally:
        for rival in rivals:
            if rival.alive:
                rival.send(signal.SIGKILL)
                rival.ended()


def _claims(config: Json) -> Json:
    middle = config["users"][0]["user"]["token"].split(".")[1]
    claims: Json = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return claims


@contextmanager
def stopped_api_server(cluster: Cluster) -> Iterator[None]:
    """It keeps its connections and says nothing."""
    pid = _api_server(cluster)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _api_server(cluster: Cluster) -> int:
    """The process that writes this cluster's audit log, and no other's."""
    wanted = f"--audit-log-path={cluster.audit_log}"
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "cmdline").read_text().split("\0"):
                return int(folder.name)
    raise AssertionError(f"no API server of cluster {cluster.name}")
