"""Workflows that must be refused, and changes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.manifests.base import Bad, BadChange, bad, storage

HOSTNAME = "reana.example.org"


def _of(**fields: Any) -> Mapping[str, Any]:
    return {"workflows": {"enabled": True, "hostname": HOSTNAME, **fields}}


def flow(name: str, fields: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return bad(name, _of(**fields), f"workflows.{path}", says, server)


def realm(name: str = "CERN.CH", **fields: Any) -> Mapping[str, Any]:
    return {"name": name, "kdcs": ["kdc.example.org"], **fields}


def _spec(**fields: Any) -> Mapping[str, Any]:
    return {"spec": _of(**fields)}


BAD_WORKFLOWS: tuple[Bad, ...] = (
    flow("workflows at the VRE's hostname", {"hostname": "vre.example.org"}, "hostname", "of its own"),
    bad(
        "workflows at Rucio's hostname",
        {"dataLake": {"enabled": True, "hostname": HOSTNAME}, **_of()},
        "workflows.hostname",
        "of its own",
    ),
    bad(
        "workflows at a storage's hostname",
        {"dataLake": {"enabled": True, **storage(hostname=HOSTNAME)}, **_of()},
        "workflows.hostname",
        "of its own",
    ),
    flow("an unknown generation", {"generation": "0.8"}, "generation", "0.95", "0.95"),
    flow("no engine", {"engines": []}, "engines", "at least 1", "at least 1"),
    flow("an unknown engine", {"engines": ["Nextflow"]}, "engines[0]", "Snakemake", "Snakemake"),
    flow("an engine twice", {"engines": ["CWL", "CWL"]}, "engines[1]", "different", "Duplicate"),
    flow("a volume of nothing", {"volume": {"size": "1Mi"}}, "volume.size", "64Mi or more"),
    flow("jobs larger than they may be", {"jobs": {"memory": "16Gi"}}, "jobs.memory", "raise maxMemory"),
    flow(
        "jobs longer than they may be",
        {"jobs": {"timeoutSeconds": 2_000_000}},
        "jobs.timeoutSeconds",
        "raise maxTimeoutSeconds",
    ),
    flow("a quota of too little", {"quotas": [{"disk": "1Ki"}]}, "quotas[0].disk", "64Mi or more"),
    flow("a quota of nothing", {"quotas": [{"group": "deep"}]}, "quotas[0].cpuHours", "or both"),
    flow(
        "two quotas of a group",
        {"quotas": [{"cpuHours": 1}, {"cpuHours": 2}]},
        "quotas[1]",
        "different group",
        "Duplicate",
    ),
    bad(
        "a group's quota where nobody tells who is in it",
        {
            "identity": {"provider": "generic-dcr"},
            **_of(quotas=[{"group": "deep", "cpuHours": 1}]),
        },
        "workflows.quotas",
        "dataLake.people with scim",
    ),
    flow("an image that is none", {"vettedImages": ["Not an image"]}, "vettedImages[0]", "REGISTRY/"),
    flow(
        "a probe without its engine",
        {"engines": ["CWL"], "probe": {"enabled": True}},
        "probe.enabled",
        "add Serial",
    ),
    flow("the lake in jobs without people", {"dataLake": True}, "dataLake", "it is the hub"),
    flow("a batch system that is unknown", {"backends": {"pbs": {}}}, "backends.pbs", "slurm", "unknown field"),
    flow(
        "Slurm without a partition",
        {"backends": {"slurm": {"host": "login.example.org"}}},
        "backends.slurm.partition",
        "partition",
        "Required value",
    ),
    flow(
        "a partition that is a command",
        {"backends": {"slurm": {"host": "login.example.org", "partition": "short; rm -rf"}}},
        "backends.slurm.partition",
        "sinfo",
    ),
    flow(
        "a login node by its address",
        {"backends": {"slurm": {"host": "192.0.2.1", "partition": "short"}}},
        "backends.slurm.host",
        "full DNS name",
    ),
    flow(
        "a home that is no directory",
        {"backends": {"slurm": {"host": "login.example.org", "partition": "short", "home": "~/$(id)"}}},
        "backends.slurm.home",
        "absolute path",
    ),
    flow(
        "Kerberos without realms", {"kerberos": {"realms": []}}, "kerberos.realms", "at least 1", "at least 1"
    ),
    flow(
        "Kerberos without the realm of REANA's tickets",
        {"kerberos": {"realms": [realm("EXAMPLE.ORG")]}},
        "kerberos.realms",
        "add CERN.CH with its KDCs",
    ),
    flow(
        "a realm in lower case",
        {"kerberos": {"realms": [realm(), realm("cern.ch")]}},
        "kerberos.realms[1].name",
        "in upper case",
    ),
    flow(
        "a realm that says more",
        {"kerberos": {"realms": [realm(), realm("A = {\n kdc = evil.example.org\n }\n B")]}},
        "kerberos.realms[1].name",
        "in upper case",
    ),
    flow(
        "a realm twice",
        {"kerberos": {"realms": [realm(), realm()]}},
        "kerberos.realms[1]",
        "different name",
        "Duplicate",
    ),
    flow(
        "a realm without KDCs",
        {"kerberos": {"realms": [realm(kdcs=[])]}},
        "kerberos.realms[0].kdcs",
        "at least 1",
        "at least 1",
    ),
    flow(
        "a KDC with a port",
        {"kerberos": {"realms": [realm(kdcs=["kdc.example.org:88"])]}},
        "kerberos.realms[0].kdcs[0]",
        "full DNS name",
    ),
    flow(
        "a KDC that says more",
        {"kerberos": {"realms": [realm(kdcs=["kdc.example.org\n[plugins]"])]}},
        "kerberos.realms[0].kdcs[0]",
        "full DNS name",
    ),
    flow(
        "a KDC twice",
        {"kerberos": {"realms": [realm(kdcs=["a.example.org", "a.example.org"])]}},
        "kerberos.realms[0].kdcs[1]",
        "different",
        "Duplicate",
    ),
    flow(
        "a domain that is none",
        {"kerberos": {"realms": [realm(domains=[".example.org"])]}},
        "kerberos.realms[0].domains[0]",
        "full DNS name",
    ),
    flow(
        "a domain in two realms",
        {"kerberos": {"realms": [realm(domains=["example.org"]), realm("B", domains=["example.org"])]}},
        "kerberos.realms",
        "give each domain",
    ),
    bad(
        "workflows with an Issuer of the tenant's own",
        {"exposure": {"tls": {"certManager": {"issuer": "ours", "kind": "Issuer"}}}, **_of()},
        "exposure.tls.certManager.kind",
        "name a ClusterIssuer",
    ),
)

BAD_WORKFLOW_CHANGES: tuple[BadChange, ...] = (
    BadChange(
        "a generation back",
        _spec(),
        _spec(generation="0.9"),
        "spec.workflows.generation",
        "set it to 0.95",
    ),
    BadChange(
        "REANA's client forgotten",
        _spec(clientSecret={"name": "reana"}),
        {"spec": {"workflows": {"clientSecret": ...}}},
        "spec.workflows.clientSecret",
        "set it back",
    ),
    BadChange(
        "workspaces shrink",
        _spec(volume={"size": "2Gi"}),
        _spec(volume={"size": "1Gi"}),
        "spec.workflows.volume.size",
        "former size or to more",
    ),
    BadChange(
        "workspaces on one node",
        _spec(volume={"size": "2Gi"}),
        _spec(volume={"accessMode": "ReadWriteOnce"}),
        "spec.workflows.volume.accessMode",
        "set it back",
    ),
    BadChange(
        "workspaces move",
        _spec(volume={"storageClass": "slow"}),
        _spec(volume={"storageClass": "fast"}),
        "spec.workflows.volume.storageClass",
        "set it back",
    ),
)

GOOD_WORKFLOW_CHANGES: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
    ("a generation on", _spec(generation="0.9"), _spec(generation="0.95")),
    ("workspaces chosen late", {"spec": {}}, _spec(volume={"size": "1Gi", "accessMode": "ReadWriteOnce"})),
    ("Kerberos comes", _spec(), _spec(kerberos={"realms": [realm()]})),
    ("Kerberos goes", _spec(kerberos={"realms": [realm()]}), _spec(kerberos=...)),
    ("workflows switched off", _spec(), _spec(enabled=False)),
    ("workspaces grow", _spec(volume={"size": "1Gi"}), _spec(volume={"size": "2Gi"})),
)

FINE_WORKFLOWS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("workflows", _spec()),
    ("workflows with all there is to say", _spec(jobs={"memory": "8Gi"}, quotas=[{"cpuHours": 1}], keepDays=1)),
    ("workflows on batch systems", _spec(backends={"slurm": {"host": "a.example.org", "partition": "p"}})),
    (
        "workflows with Kerberos",
        _spec(kerberos={"realms": [realm(domains=["cern.ch"]), realm("A-1", domains=["example.org"])]}),
    ),
    ("workflows that stand still", _spec(maxRunning=0)),
    ("workflows off without hostname", {"spec": {"workflows": {"engines": ["CWL"]}}}),
)
