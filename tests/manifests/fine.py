"""What must go through, so that no rule is too strict: patches on GOOD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.manifests.base import GATEWAY, entry, protocol, rse, storage

FINE: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("as it is", {}),
    (
        "issuer with port and slash",
        {"spec": {"identity": {"issuer": "https://sso.example.org:8443/a/", "provider": "manual"}}},
    ),
    ("issuer of one label", {"spec": {"identity": {"issuer": "https://localhost", "provider": "manual"}}}),
    ("registration open to all", {"spec": {"identity": {"provider": "generic-dcr", "credentialsSecret": ...}}}),
    ("IAM open to all", {"spec": {"identity": {"provider": "iam-dcr", "credentialsSecret": ...}}}),
    ("IAM that shows its clients", {"spec": {"identity": {"provider": "iam-dcr"}}}),
    (
        "IAM by its management API",
        {"spec": {"identity": {"issuer": "https://iam.example.org/", "provider": "iam-admin"}}},
    ),
    ("CILogon", {"spec": {"identity": {"issuer": "https://cilogon.org", "provider": "oa4mp"}}}),
    ("everybody", {"spec": {"identity": {"allowedGroups": ..., "allowAll": True}}}),
    (
        "nulls and empty objects",
        {
            "spec": {
                "notebooks": None,
                "storage": {"homes": None},
                "database": {},
                "exposure": {"tls": {"secret": None}},
            }
        },
    ),
    ("a gateway", {"spec": {"exposure": {"gateway": GATEWAY}}}),
    (
        "a listener, and no certificate",
        {"spec": {"exposure": {"gateway": GATEWAY | {"sectionName": "tls.a"}, "tls": {}}}},
    ),
    ("image by digest", {"spec": {"catalogue": entry(image=f"localhost:5000/a/b_c@sha256:{'0' * 64}")}}),
    ("image of one word", {"spec": {"catalogue": entry(image="debian")}}),
    ("hostname in punycode", {"spec": {"hostname": "vre.xn--bcher-kva.example"}}),
    ("hostname under localhost", {"spec": {"hostname": "quickstart.vre.localhost"}}),
    (
        "guarantee equals limit",
        {"spec": {"notebooks": {"resources": {"memoryGuarantee": "2048Mi", "cpuGuarantee": 2}}}},
    ),
    (
        "a lake with storage",
        {"spec": {"dataLake": {"enabled": True, **rse(protocols=[protocol(), protocol(port=8443)])}}},
    ),
    (
        "a lake with storage of its own",
        {
            "spec": {
                "dataLake": {
                    "enabled": True,
                    "hostname": "rucio.example.org",
                    "daemons": {"groups": ["Rules", "Transfers"]},
                    **storage(storageClass="fast"),
                }
            }
        },
    ),
    ("size with fraction", {"spec": {"storage": {"homes": {"size": "0.5Gi"}}}}),
    ("size in bytes", {"spec": {"storage": {"homes": {"size": "10737418240"}}}}),
    ("name of 40", {"metadata": {"name": "a" * 40}}),
)
