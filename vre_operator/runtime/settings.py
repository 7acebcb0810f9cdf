"""What the process is told: environment variables set by the chart, and the site's file."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import yaml

from vre_operator.api import validate
from vre_operator.api.site import Site


class SettingsError(Exception):
    """The process cannot start; the text says which setting and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """namespace: where the operator itself lives, with its Lease and the state of login clients."""

    namespace: str
    identity: str
    site: Site
    health_port: int = 8080
    metrics_port: int = 9090
    workers: int = 8
    leader_election: bool = True

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises SettingsError."""
        env = os.environ
        return cls(
            namespace=env.get("POD_NAMESPACE") or "vre-system",
            identity=env.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
            site=load_site(env.get("VRE_SITE_FILE", "")),
            health_port=int(env.get("VRE_HEALTH_PORT", "8080")),
            metrics_port=int(env.get("VRE_METRICS_PORT", "9090")),
            workers=int(env.get("VRE_WORKERS", "8")),
            leader_election=env.get("VRE_LEADER_ELECTION", "true") != "false",
        )


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
