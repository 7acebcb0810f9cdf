"""What a site may give: the API server takes it, `vre validate` takes it with a VRESite alone."""

from __future__ import annotations

from typing import Any

from tests.manifests.base import Bad, bad

_ALONE: dict[str, Any] = {"issuer": ..., "provider": ..., "credentialsSecret": ...}

SHORT: tuple[Bad, ...] = (
    bad("no hostname", {"hostname": ...}, "hostname", "spec.defaults.domain"),
    bad("hostname null", {"hostname": None}, "hostname", "spec.defaults.domain"),
    bad("no issuer", {"identity": _ALONE}, "identity.issuer", "spec.defaults.identity"),
    bad(
        "people of the site's provider",
        {"identity": _ALONE, "dataLake": {"enabled": True, "people": {"enabled": True}}},
        "identity.issuer",
        "spec.defaults.identity",
    ),
    bad(
        "workflows without hostname",
        {"workflows": {"enabled": True}},
        "workflows.hostname",
        "such as reana.example.org",
    ),
)
