"""What the process is told: environment variables set by the chart, and the site's file."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import yaml

from vre_operator.api import validate
from vre_operator.api.site import Site
from vre_operator.kube.client import SILENCE
from vre_operator.kube.lease import DURATION
from vre_operator.kube.scope import Scope
from vre_operator.targets.oidc.http import TIMEOUT


class SettingsError(Exception):
    """The process cannot start; the text says which setting and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """namespace: where the operator itself lives, with its Lease and the state of login clients.

    watch_silence: seconds after which a watch that says nothing, not even a bookmark, is begun anew; the API
    server sends bookmarks every minute. provider_timeout: seconds for one exchange with an identity provider.
    lease_seconds: how long a leader that is not heard of keeps the others waiting. watched: the namespaces of
    the tenants that are served; all of the cluster when empty. cluster_id: tells this cluster from others; ""
    for what can be read.
    """

    namespace: str
    identity: str
    site: Site
    health_port: int = 8080
    metrics_port: int = 9090
    workers: int = 24
    leader_election: bool = True
    watch_silence: float = SILENCE
    provider_timeout: float = TIMEOUT
    lease_seconds: float = DURATION
    watched: tuple[str, ...] = ()
    cluster_id: str = ""

    @property
    def scope(self) -> Scope:
        return Scope(self.watched, self.namespace)

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises SettingsError."""
        env = os.environ
        site = load_site(env.get("VRE_SITE_FILE", ""))
        watched = tuple(dict.fromkeys(env.get("VRE_WATCH_NAMESPACES", "").replace(",", " ").split()))
        if site.vresite is not None and not watched:
            raise SettingsError(
                "VRE_SITE_FILE: vresite: is for an operator that watches some namespaces (VRE_WATCH_NAMESPACES)"
                " and cannot read the VRESite: remove it, and apply a VRESite"
            )
        return cls(
            namespace=env.get("POD_NAMESPACE") or "vre-system",
            identity=env.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
            site=site,
            health_port=int(_number("VRE_HEALTH_PORT", 8080)),
            metrics_port=int(_number("VRE_METRICS_PORT", 9090)),
            workers=int(_number("VRE_WORKERS", 24)),
            leader_election=env.get("VRE_LEADER_ELECTION", "true") != "false",
            watch_silence=_number("VRE_WATCH_SILENCE_SECONDS", SILENCE),
            provider_timeout=_number("VRE_PROVIDER_TIMEOUT_SECONDS", TIMEOUT),
            lease_seconds=_number("VRE_LEASE_SECONDS", DURATION),
            watched=watched,
            cluster_id=env.get("VRE_CLUSTER_ID", ""),
        )


def _number(name: str, default: float) -> float:
    text = os.environ.get(name) or default
    try:
        number = float(text)
    except ValueError:
        raise SettingsError(f"{name}: {text!r} is not a number") from None
    if number <= 0:
        raise SettingsError(f"{name}: {text} is not above 0")
    return number


def load_site(path: str) -> Site:
    """The site's file, or the defaults when `path` is empty. Raises SettingsError."""
    if not path:
        return Site()
    try:
        return validate.load_site(yaml.safe_load(Path(path).read_text()) or {})
    except OSError as error:
        raise SettingsError(f"VRE_SITE_FILE: {path} can't be read: {error.strerror}") from error
    except (yaml.YAMLError, validate.SpecError) as error:
        raise SettingsError(f"VRE_SITE_FILE: {path} is not a valid site file: {error}") from error
