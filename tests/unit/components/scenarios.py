"""Tenants that between them use every field which the components look at."""

from __future__ import annotations

from typing import Any

from vre_operator.api.site import Site
from vre_operator.api.v1alpha1 import VREEnvironmentSpec
from vre_operator.components.context import Environment
from vre_operator.engine.resources import Tenant

TENANT = Tenant(namespace="ocean", name="ocean", uid="uid-1", cluster_id="cluster-1")
ISSUER = "https://login.example.org/realms/vre"
GROUPS = {"allowedGroups": ["/ocean"]}

QUICKSTART: dict[str, Any] = {
    "hostname": "ocean.example.org",
    "identity": {"issuer": ISSUER, "provider": "keycloak-admin", "credentialsSecret": {"name": "login"}}
    | GROUPS,
    "dataLake": {"enabled": True},
}
FULL: dict[str, Any] = QUICKSTART | {
    "storage": {
        "homes": {"size": "20Gi", "storageClass": "fast"},
        "shares": [
            {"name": "team", "volume": {"size": "1Ti", "storageClass": "cephfs"}, "writers": ["/deep"]},
            {"name": "archive", "mountPath": "/data/archive", "readOnly": True, "claim": {"name": "archive"}},
            {"name": "software", "cvmfs": {}},
            {"name": "deep", "volume": {"accessMode": "ReadWriteOnce"}, "allowedGroups": ["/deep"]},
        ],
        "s3": [
            {
                "name": "survey",
                "endpoint": "https://s3.example.org",
                "credentialsSecret": {"name": "survey-s3"},
            },
            {
                "name": "depths",
                "endpoint": "https://deep.example.org:9000",
                "region": "depths",
                "pathStyle": False,
                "credentialsSecret": {"name": "depths-s3"},
                "allowedGroups": ["/deep"],
            },
        ],
    },
    "catalogue": {
        "entries": [
            {"name": "base", "image": "example.org/base:1", "prePull": True},
            {
                "name": "deep",
                "image": "example.org/deep:2",
                "displayName": "Deep <sea>",
                "description": "For the depths.",
                "documentation": "https://docs.example.org/deep",
                "icon": "https://docs.example.org/deep.png",
                "allowedGroups": ["/deep"],
                "resources": {"memoryGuarantee": "4Gi", "memoryLimit": "16Gi"},
                "gpus": {"count": 2},
                "defaultUrl": "/rstudio",
                "lifecycle": {"stage": "Deprecated", "successor": "base", "until": "2099-12-31"},
            },
        ],
        "only": ["site-a"],
        "pullSecrets": [{"name": "pull"}],
    },
    "notebooks": {
        "resources": {
            "cpuGuarantee": 0.25,
            "cpuLimit": 4,
            "memoryGuarantee": "1.5Gi",
            "memoryLimit": "6Gi",
        },
        "maxSessions": 20,
        "probe": {"enabled": True, "entries": ["base"]},
    },
    "dataLake": {
        "enabled": True,
        "hostname": "rucio.ocean.example.org",
        "daemons": {"groups": ["Rules", "Deletion", "Subscriptions", "Transfers"]},
        "policyPackage": "ocean_policies",
        "people": {
            "enabled": True,
            "quotas": [{"size": "1Ti"}, {"group": "/deep", "rseExpression": "country=FR", "size": "2Ti"}],
            "credentialsSecret": {"name": "people-reader"},
        },
        "storage": [
            {
                "name": "OCEAN-LAKE",
                "hostname": "lake.ocean.example.org",
                "size": "1.5Ti",
                "storageClass": "vast",
            }
        ],
        "rses": [
            {
                "name": "OCEAN-DISK",
                "attributes": [{"name": "country", "value": "FR"}, {"name": "greedyDeletion", "value": "true"}],
                "protocols": [
                    {"scheme": "davs", "hostname": "disk.example.org", "port": 443, "prefix": "/ocean/"}
                ],
                "limits": {"minFreeSpace": "1Ti", "maxSpaceAvailable": "100Ti"},
            },
            {
                "name": "OCEAN-TAPE",
                "type": "TAPE",
                "availability": {"delete": False},
                "protocols": [
                    {
                        "scheme": "root",
                        "hostname": "tape.example.org",
                        "port": 1094,
                        "prefix": "/tape/",
                        "implementation": "xrootd.Default",
                        "lan": {"read": 2},
                        "wan": {"read": 2, "thirdPartyWrite": 1},
                        "extended": [{"name": "space_token", "value": "OCEAN"}],
                    }
                ],
                "unmanaged": ["Attributes", "Limits"],
            },
        ],
        "distances": {
            "default": 2,
            "links": [{"source": "OCEAN-TAPE", "destination": "OCEAN-DISK", "distance": 0}],
        },
        "accounts": [
            {
                "name": "production",
                "email": "production@example.org",
                "admin": True,
                "attributes": [{"name": "team", "value": "ocean"}],
                "identities": [{"type": "OIDC", "identity": f"SUB=robot, ISS={ISSUER}"}],
                "quotas": [{"rseExpression": "country=FR", "size": "10Ti"}],
                "scopes": ["ocean", "ocean.test"],
            }
        ],
        "subscriptions": [
            {
                "name": "raw-to-tape",
                "account": "production",
                "filter": {
                    "scopes": ["ocean"],
                    "accounts": ["production"],
                    "pattern": "raw.",
                    "excludedPattern": "raw.test.",
                    "types": ["Dataset"],
                    "metadata": [{"name": "datatype", "values": ["RAW"]}],
                },
                "rules": [
                    {
                        "rseExpression": "OCEAN-TAPE",
                        "copies": 1,
                        "activity": "T0 Tape",
                        "lifetimeDays": 365,
                        "grouping": "All",
                        "sourceExpression": "country=FR",
                    }
                ],
                "comments": "raw data",
                "priority": 2,
            }
        ],
        "options": [{"section": "conveyor", "option": "use_preparer", "value": "true"}],
        "probe": {"enabled": True},
        "history": {"keepDays": 365, "schedule": "30 2 * * 0"},
    },
    "workflows": {
        "enabled": True,
        "hostname": "reana.ocean.example.org",
        "clientSecret": {"name": "reana-client"},
        "volume": {"size": "2Ti", "storageClass": "cephfs"},
        "engines": ["Serial", "Snakemake"],
        "jobs": {"memory": "2Gi", "maxMemory": "16Gi"},
        "quotas": [{"cpuHours": 1000, "disk": "100Gi"}, {"group": "/deep", "cpuHours": 50_000}],
        "dataLake": True,
        "backends": {
            "slurm": {"host": "login.example.org", "partition": "short", "minutes": 120, "home": "/data/reana"},
            "htcondor": {},
            "compute4punch": {"host": "punch.example.org", "cores": 4},
        },
        "kerberos": {
            "realms": [
                {"name": "EXAMPLE.ORG", "kdcs": ["kdc.example.org"], "domains": ["example.org", "example.net"]},
                {"name": "CERN.CH", "kdcs": ["kdc1.example.org", "kdc2.example.org"]},
            ]
        },
        "keepDays": 90,
        "onlyVetted": True,
        "vettedImages": ["example.org/root:6"],
        "probe": {"enabled": True},
    },
    "database": {"embedded": {"size": "50Gi", "storageClass": "safe"}},
    "page": {
        "title": "Ocean <sciences>",
        "description": "For those who look down.",
        "logo": "https://docs.example.org/logo.svg",
        "message": "Closed on Monday.",
        "links": [
            {"title": "First steps", "url": "https://docs.example.org/"},
            {"title": "Ask", "url": "mailto:help@example.org"},
        ],
    },
    "exposure": {
        "ingressClass": "traefik",
        "tls": {"certManager": {"issuer": "letsencrypt"}},
    },
}
EXTERNAL: dict[str, Any] = QUICKSTART | {
    "storage": {"homes": {"volume": {"size": "5Ti", "storageClass": "cephfs"}}},
    "notebooks": {"namedSessions": 2},
    "database": {"external": {"secret": {"name": "postgres-admin"}}},
    "exposure": {"tls": {"secret": {"name": "certificate"}}},
}
SITE: dict[str, Any] = {}
FULL_SITE: dict[str, Any] = {
    "imagePullPolicy": "Always",
    "imagePullSecrets": ["registry"],
    "ingressNamespace": "ingress-nginx",
    "caBundle": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "issuerCidrs": ["10.0.0.0/8"],
    "ingressCidrs": ["10.9.8.7/32"],
    "computeCidrs": ["10.20.0.0/16"],
    "peopleSeconds": 600,
    "sessions": {
        "nodeSelector": {"example.org/pool": "people"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "priorityClass": "people",
    },
    "catalogue": [
        {"name": "site-a", "image": "example.org/site-a:1", "displayName": "The site's"},
        {"name": "site-b", "image": "example.org/site-b:1"},
    ],
}


def _identity(**fields: Any) -> dict[str, Any]:
    return QUICKSTART | {"identity": {"issuer": ISSUER} | fields | GROUPS}


SCENARIOS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "quickstart": (QUICKSTART, SITE),
    "full": (FULL, FULL_SITE),
    "external-database": (EXTERNAL, SITE),
    "suspended": (QUICKSTART | {"suspend": True}, SITE),
    "hub-off": (
        QUICKSTART
        | {
            "notebooks": {"enabled": False},
            "exposure": {"tls": {"certManager": {"issuer": "letsencrypt", "kind": "Issuer"}}},
        },
        SITE,
    ),
    "manual-client": (_identity(provider="manual", credentialsSecret={"name": "client"}), SITE),
    "manual-lake": (
        _identity(provider="manual", credentialsSecret={"name": "client"})
        | {
            "dataLake": {
                "enabled": True,
                "hostname": "rucio.ocean.example.org",
                "clientSecret": {"name": "lake-client"},
            }
        },
        SITE,
    ),
    "foreign-fts": (
        QUICKSTART
        | {
            "dataLake": {
                "enabled": True,
                "daemons": {"groups": ["Rules", "Transfers"]},
                "transfers": {"fts": "https://fts.example.org:8446"},
                "rses": [{"name": "OCEAN-DISK"}],
            }
        },
        SITE,
    ),
    "x509": (
        QUICKSTART
        | {
            "dataLake": {
                "enabled": True,
                "daemons": {"groups": ["Rules", "Deletion", "Transfers"]},
                "transfers": {
                    "fts": "https://fts.example.org:8446",
                    "x509": {
                        "certificateSecret": {"name": "robot"},
                        "voms": {
                            "url": "https://voms.example.org:15000",
                            "attributes": ["/ocean/Role=production"],
                        },
                    },
                },
                "rses": [{"name": "OCEAN-DISK"}],
                "probe": {"enabled": True, "rses": ["OCEAN-DISK"]},
            }
        },
        SITE,
    ),
    "attached": (
        QUICKSTART
        | {
            "dataLake": {
                "enabled": True,
                "attach": {
                    "url": "https://rucio.example.org",
                    "authUrl": "https://rucio-auth.example.org:8443",
                    "credentialsSecret": {"name": "rucio-login"},
                    "account": "ocean",
                },
                "rses": [{"name": "OCEAN-DISK"}],
                "accounts": [{"name": "production"}],
            }
        },
        FULL_SITE,
    ),
    "older-workflows": (
        _identity(provider="manual", credentialsSecret={"name": "client"})
        | {
            "dataLake": {},
            "notebooks": {"enabled": False},
            "workflows": {
                "enabled": True,
                "hostname": "reana.ocean.example.org",
                "generation": "0.9",
                "schemaUpgrade": "Automatic",
                "clientSecret": {"name": "reana-client"},
            },
            "database": {"external": {"secret": {"name": "postgres-admin"}}},
            "exposure": {"tls": {"secret": {"name": "certificate"}}},
        },
        SITE,
    ),
    "gateway": (
        QUICKSTART
        | {
            "exposure": {"gateway": {"name": "public", "namespace": "infra", "sectionName": "https"}},
            "dataLake": {"enabled": True, "hostname": "rucio.ocean.example.org"},
            "workflows": {"enabled": True, "hostname": "reana.ocean.example.org"},
        },
        {"ingressNamespace": "ingress-nginx", "gatewayNamespace": "envoy-gateway-system"},
    ),
    "keycloak-dcr": (_identity(provider="keycloak-dcr", credentialsSecret={"name": "token"}), SITE),
    "open-registration": (_identity(provider="generic-dcr"), SITE),
}


def environment(
    spec: dict[str, Any], site: dict[str, Any] | None = None, tenant: Tenant = TENANT
) -> Environment:
    return Environment(tenant, VREEnvironmentSpec.model_validate(spec), Site.model_validate(site or SITE))


def scenario(name: str) -> Environment:
    return environment(*SCENARIOS[name])
