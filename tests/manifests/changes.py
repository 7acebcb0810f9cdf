"""Changes that only the API server can refuse, and those that it must not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.manifests.base import GATEWAY, BadChange, storage

EMBEDDED = {"spec": {"database": {"embedded": {"size": "8Gi", "storageClass": "slow"}}}}
EXTERNAL = {"spec": {"database": {"external": {"secret": {"name": "postgres"}}}}}
_ROUTED = {"ingressClass": ..., "gateway": GATEWAY}


def _lake_of(**fields: Any) -> Mapping[str, Any]:
    return {"spec": {"dataLake": {"enabled": True, **storage(**{"size": "2Gi", **fields})}}}


_LAKE = _lake_of()

BAD_CHANGES: tuple[BadChange, ...] = (
    BadChange(
        "issuer",
        {},
        {"spec": {"identity": {"issuer": "https://other.example.org/realms/vre"}}},
        "spec.identity.issuer",
        "create a new VREEnvironment",
    ),
    BadChange(
        "no issuer any more",
        {},
        {"spec": {"identity": {"issuer": ..., "provider": ..., "credentialsSecret": ...}}},
        "spec.identity.issuer",
        "set it back",
    ),
    BadChange(
        "homes moved into one volume",
        {},
        {"spec": {"storage": {"homes": {"volume": {}}}}},
        "spec.storage.homes.volume",
        "people's files would stay behind",
    ),
    BadChange(
        "homes moved out of a volume",
        {"spec": {"storage": {"homes": {"claim": {"name": "nfs"}}}}},
        {"spec": {"storage": {"homes": {"claim": ...}}}},
        "spec.storage.homes.claim",
        "people's files would stay behind",
    ),
    BadChange("to an external database", {}, EXTERNAL, "spec.database.external", "create a new VREEnvironment"),
    BadChange(
        "to an own database",
        EXTERNAL,
        {"spec": {"database": {"external": ...}}},
        "spec.database.external",
        "set it back",
    ),
    BadChange(
        "volume shrinks",
        EMBEDDED,
        {"spec": {"database": {"embedded": {"size": "8191Mi"}}}},
        "spec.database.embedded.size",
        "former size or to more",
    ),
    BadChange(
        "storage class",
        EMBEDDED,
        {"spec": {"database": {"embedded": {"storageClass": "fast"}}}},
        "spec.database.embedded.storageClass",
        "set it back",
    ),
    BadChange(
        "storage class taken away",
        EMBEDDED,
        {"spec": {"database": {"embedded": {"storageClass": ...}}}},
        "spec.database.embedded.storageClass",
        "set it back",
    ),
    BadChange("storage class given", {}, EMBEDDED, "spec.database.embedded.storageClass", "set it back"),
    BadChange(
        "lake's volume shrinks", _LAKE, _lake_of(size="1Gi"), "spec.dataLake.storage[0].size", "only grow"
    ),
    BadChange(
        "lake's volume moves",
        _LAKE,
        _lake_of(storageClass="fast"),
        "spec.dataLake.storage[0].storageClass",
        "set it back",
    ),
    BadChange(
        "lake's storage at another hostname",
        _LAKE,
        _lake_of(hostname="other.example.org"),
        "spec.dataLake.storage[0].hostname",
        "set it back",
    ),
    BadChange(
        "database forgotten",
        EMBEDDED,
        {"spec": {"database": ...}},
        "spec.database.embedded.storageClass",
        "set it back",
    ),
)

GOOD_CHANGES: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
    ("volume grows", EMBEDDED, {"spec": {"database": {"embedded": {"size": "8193Mi"}}}}),
    ("same size in other words", EMBEDDED, {"spec": {"database": {"embedded": {"size": "8192Mi"}}}}),
    ("hostname left to the site", {}, {"spec": {"hostname": ...}}),
    (
        "an issuer before the site gave one",
        {"spec": {"identity": {"issuer": ..., "provider": ..., "credentialsSecret": ...}}},
        {"spec": {"identity": {"issuer": "https://own.example.org", "provider": "generic-dcr"}}},
    ),
    ("to a gateway", {"spec": {"exposure": {"ingressClass": "a"}}}, {"spec": {"exposure": _ROUTED}}),
    ("from a gateway", {"spec": {"exposure": _ROUTED}}, {"spec": {"exposure": {"gateway": ...}}}),
    ("other hostname", {}, {"spec": {"hostname": "new.example.org"}}),
    ("other credential", {}, {"spec": {"identity": {"credentialsSecret": {"name": "b"}}}}),
    ("other external secret", EXTERNAL, {"spec": {"database": {"external": {"secret": {"name": "b"}}}}}),
)
