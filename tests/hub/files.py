"""A tenant's hub without a cluster: the rendered files, laid out as its pod sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import software
from tests.unit.components.scenarios import environment
from vre_operator.components import hub

SECRETS = {
    "proxy-token": "a1" * 32,
    "cookie-secret": "b2" * 32,
    "crypt-key": "c3" * 32,
    "former-crypt-key": "c9" * 32,
    "idle-culler-token": "d4" * 24,
    "vre-operator-token": "e5" * 24,
    "tokens-token": "f6" * 24,
    "spawn-probe-token": "a7" * 24,
}
JOBS = "b8" * 24
"""By which the hub knows people's jobs."""
PASSWORD = "p%25@s:s/w'o\"r?d#[$x]"


def lay_out(
    root: Path,
    spec: dict[str, Any],
    site: dict[str, Any] | None = None,
    *,
    provider: str = "https://login.example.org",
    database: dict[str, str] | None = None,
    pinned: dict[str, str] | None = None,
    people: tuple[str, str] = ("", ""),
) -> Path:
    """Returns the configuration file; start the hub with VRE_HUB_ROOT=`root`.

    people: where REANA's people are asked for, and with what.
    """
    resources = {resource.id.name: resource for resource in hub.render(environment(spec, site))}
    values = {
        "hub/client_id": "vre-hub",
        "hub/client_secret": "client-secret",
        "issuer/authorization_endpoint": f"{provider}/authorize",
        "issuer/token_endpoint": f"{provider}/token",
        "issuer/userinfo_endpoint": f"{provider}/userinfo",
    }
    values["catalogue/pinned"] = json.dumps(pinned or {})
    connection = {"host": "db", "port": "5432", "database": "hub", "username": "hub", "password": PASSWORD}
    values |= {f"database-hub/{key}": value for key, value in (connection | (database or {})).items()}
    assert set(resources["hub-secrets"].generate) == set(SECRETS)
    for folder, name in (("config", "hub-config"), ("images", "hub-images"), ("login", "hub-login")):
        software.write(root / folder, software.content(resources[name], values))
    software.write(root / "secrets", SECRETS)
    if people[0]:
        file = root / "config/settings.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"reana": people[0]}))
        software.write(root / "reana", {"hub": people[1], "jobs": JOBS})
    return root / "config/jupyterhub_config.py"
