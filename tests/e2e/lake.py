"""The tenant `lake`: its wish, and what its Rucio holds."""

from __future__ import annotations

import json
from typing import Any

from dev import keycloak
from dev.demo import tenant
from dev.demo.installation import Installation, variant
from dev.progress import note

NAMESPACE = "lake"

DISK = {
    "name": "LAKE-DISK",
    "attributes": [{"name": "country", "value": "FR"}],
    "protocols": [{"scheme": "davs", "hostname": "disk.example.org", "port": 443, "prefix": "/lake/"}],
}
TAPE = {"name": "LAKE-TAPE", "type": "TAPE"}
STORAGE = [
    {"name": "LAKE-A", "hostname": f"lake-a.{keycloak.DOMAIN}", "size": "1Gi"},
    {"name": "LAKE-B", "hostname": f"lake-b.{keycloak.DOMAIN}", "size": "1Gi"},
]
GROUPS = ["Rules", "Deletion", "Transfers"]
WORKER = {"name": "worker", "scopes": ["lake"], "quotas": [{"rseExpression": "*", "size": "1Ti"}]}

# In a daemon's own container, with Rucio's library on its database.
LOOK = """
import json
from rucio.core.account import list_accounts
from rucio.core.distance import export_distances
from rucio.core.rse import get_rse_protocols, list_rse_attributes, list_rses
from rucio.db.sqla.constants import DatabaseOperationType
from rucio.db.sqla.session import db_session
with db_session(DatabaseOperationType.READ) as session:
    rses = {one["rse"]: list_rse_attributes(one["id"], session=session) for one in list_rses(session=session)}
    accounts = sorted(str(one["account"]) for one in list_accounts(session=session))
    pairs = sum(map(len, export_distances("def", session=session).values()))
print(json.dumps({"rses": rses, "accounts": accounts, "distances": pairs}))
"""


# Bob joins `staff` in a test; the other tenants know the group `researchers` alone.
PEOPLE_GROUPS = ["researchers", "staff"]
RUCIO = f"rucio-lake.{keycloak.DOMAIN}"
WISH = {
    "enabled": True,
    "hostname": RUCIO,
    "daemons": {"groups": GROUPS},
    "storage": STORAGE,
    "rses": [DISK, TAPE],
    "accounts": [WORKER],
    "probe": {"enabled": True},
    "people": {"enabled": True, "quotas": [{"size": "1Ti"}]},
}


def create(installation: Installation) -> None:
    """Until it is Ready."""
    identity = variant(NAMESPACE)["spec"]["identity"] | {"allowedGroups": PEOPLE_GROUPS}
    wish = variant(NAMESPACE, identity=identity, dataLake=WISH, deletionPolicy="Delete")
    installation.create_tenant(wish)
    tenant.wait_ready(installation.kubectl, NAMESPACE, NAMESPACE, seconds=600, say=note)


def inside(installation: Installation) -> dict[str, Any]:
    """What Rucio's database holds."""
    told = installation.kubectl(
        "exec",
        "deployment/rucio-rules",
        "--container",
        "judge-cleaner",
        "--",
        "python3",
        "-c",
        LOOK,
        namespace=NAMESPACE,
    )
    seen: dict[str, Any] = json.loads(told.splitlines()[-1])
    return seen


def change(installation: Installation, **wish: Any) -> None:
    installation.kubectl.patch(tenant.KIND, NAMESPACE, {"spec": wish}, NAMESPACE)
