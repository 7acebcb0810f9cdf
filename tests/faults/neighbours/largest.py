"""The largest spec that the schema admits: every list full, every string as long as it may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tests.site import ROOT

Json = dict[str, Any]
# Four bytes in UTF-8, twelve in JSON that is ASCII only.
WIDE = "\U0001f52d"
HOSTILE = (
    "'; DROP TABLE users; --",
    "{{ 7 * 7 }} ${HOME} $(id) `id` %s %n {0}",
    "</script><img src=x onerror=alert(1)>",
    '"""\\N{BULLET}\\x00\\u0000',
    "a\nb\r\n\tc: d\n- e",
    "\u202eright to left\u2066 \u200b\ufeff",
    "../../etc/passwd",
    "!!python/object/apply:os.system ['id']",
    "-----BEGIN CERTIFICATE-----",
    "null",
    "\x7f\x1b[31m",
)


def schema() -> Json:
    """Of spec."""
    crd = yaml.safe_load((ROOT / "crds/vreenvironments.vre.science.yaml").read_text())
    found: Json = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def distinct(count: int, length: int, fill: str = "x") -> list[str]:
    """Texts of that length, each another one."""
    return [f"{number:04d}" + fill * (length - 4) for number in range(count)]


def hostname(tenant: str, length: int = 200) -> str:
    end = f".{tenant}.example.org"
    rest = length - len(end)
    labels = []
    while rest > 0:
        labels.append("x" * min(63, rest))
        rest -= 64
    text = ".".join(labels) + end
    return text if len(text) == length else "y" * (length - len(text)) + text


def spec(tenant: str, issuer: str) -> Json:
    """Only the issuer is a real one, and shorter."""
    return {
        "hostname": hostname(tenant),
        "identity": {
            "issuer": issuer,
            "provider": "generic-dcr",
            "credentialsSecret": {"name": "s" * 253},
            "allowedGroups": distinct(100, 200, WIDE),
            "adminGroups": distinct(100, 200, WIDE),
            "usernameClaim": "u" * 64,
            "groupsClaim": "g" * 64,
            "scopes": ["openid", *distinct(29, 100)],
        },
        "storage": {"homes": VOLUME | {"volume": VOLUME}, "shares": shares(), "s3": s3()},
        "catalogue": catalogue(),
        "notebooks": {
            "culling": {"maxAgeSeconds": 31_536_000},
            # With all of them the object and what the API server notes about its fields is too large for etcd.
            # So it is with all of catalogue.only, and of the vetted images.
            "probe": {"enabled": True, "entries": distinct(20, 63), "schedule": SCHEDULE},
            "resources": {"memoryGuarantee": "128Mi", "memoryLimit": "9" * 15 + ".999Pi"},
        },
        "page": {
            "title": WIDE * 60,
            "description": WIDE * 500,
            "logo": PAGE + "l" * (200 - len(PAGE)),
            "message": WIDE * 300,
            "links": [{"title": t, "url": PAGE + "u" * (200 - len(PAGE))} for t in distinct(20, 60, WIDE)],
        },
        "dataLake": {"enabled": True, "hostname": hostname(f"lake-{tenant}"), **lake()},
        "workflows": {
            "enabled": True,
            "hostname": hostname(f"flow-{tenant}"),
            "schemaUpgrade": "Automatic",
            "engines": ["Serial", "Snakemake", "CWL", "Yadage"],
            "clientSecret": {"name": "s" * 253},
            "volume": VOLUME | {"accessMode": "ReadWriteMany"},
            "jobs": {"memory": "64Mi", "maxMemory": "9" * 15 + ".999Pi"},
            # By group, and with the lake in jobs, only where the provider is asked who is in it.
            "quotas": [{"cpuHours": 100_000_000, "disk": "9" * 15 + ".999Pi"}],
            "backends": {
                "slurm": {"host": hostname(f"slurm-{tenant}"), "partition": "p" * 64, "home": "/" + "h" * 199},
                "htcondor": {},
                "compute4punch": {"host": hostname(f"punch-{tenant}")},
            },
            # As with the vetted images: not all of them.
            "kerberos": {
                "realms": [{"name": "CERN.CH", "kdcs": [hostname("kdc")], "domains": [hostname("cern")]}]
            },
            "keepDays": 36_500,
            "probe": {"enabled": True, "schedule": SCHEDULE},
            "vettedImages": [
                "r" * 100 + f".example.org/p{number:03d}" + "/p" * 77 + ":t" + "a" * 127 for number in range(10)
            ],
        },
        "database": {"embedded": {"size": "1" * 15 + ".999Gi", "storageClass": "c" * 253}},
        "credentials": {"rotateDays": 3650},
        "exposure": {
            "ingressClass": "c" * 253,
            "tls": {"certManager": {"issuer": "m" * 253}},
        },
    }


VOLUME = {"size": "1" * 15 + ".999Gi", "storageClass": "c" * 253}
PAGE = "https://example.org/"
SCHEDULE = ",".join(f"{minute:02d}-59/59" for minute in range(10)) + " * * * *"
"""As long as a list of ten can be."""


def catalogue() -> Json:
    """Groups apart, as in shares: with all that each may hold of them no API server would take the object."""
    words = zip(distinct(200, 100, WIDE), distinct(200, 300, WIDE), strict=True)
    return {
        "entries": [
            {
                "name": f"i{number:03d}" + "n" * 59,
                "image": "r" * 100 + ".example.org/" + f"p{number:03d}" + "/p" * 77 + ":t" + "a" * 127,
                "displayName": name,
                "description": description,
                "documentation": PAGE + "d" * (200 - len(PAGE)),
                "icon": PAGE + "i" * (200 - len(PAGE)),
                "allowedGroups": ["g"],
                "resources": {"memoryGuarantee": "1Gi", "memoryLimit": "9" * 15 + ".999Pi"},
                "gpus": {"resource": "example.org/" + "g" * 63, "count": 16},
                "defaultUrl": "/" + "u" * 149,
                "prePull": number < 20,
                "lifecycle": {"stage": "Deprecated", "successor": "s" * 63, "until": "2099-12-31"},
            }
            for number, (name, description) in enumerate(words)
        ],
        "only": distinct(20, 63),
        "pullSecrets": [{"name": name} for name in distinct(10, 200)],
    }


def shares() -> list[Json]:
    """One of each kind, and volumes."""
    groups = ["g"]
    every = [
        {"name": name, "mountPath": "/shared" + f"/{name}" * 4, "allowedGroups": groups}
        for name in distinct(20, 40)
    ]
    claim, cvmfs, *volumes = every
    return [
        claim | {"claim": {"name": "c" * 253}, "writers": groups},
        cvmfs | {"cvmfs": {"storageClass": "c" * 253}},
        *(one | {"volume": VOLUME, "writers": groups} for one in volumes),
    ]


def s3() -> list[Json]:
    host = ".example.org"
    return [
        {
            "name": name,
            "endpoint": "https://" + "e" * (200 - len("https://") - len(host)) + host,
            "region": "r" * 63,
            "credentialsSecret": {"name": "c" * 253},
            "allowedGroups": ["g"],
        }
        for name in distinct(10, 40)
    ]


LISTS = ("rses", "accounts", "subscriptions", "options")
"""Of the lake, full of small items: with all that each may hold no API server would take the object."""


def lake() -> Json:
    return {
        "daemons": {"groups": ["Rules", "Deletion", "Subscriptions"]},
        "rses": [{"name": f"R{text}"} for text in distinct(300, 19, "X")],
        "distances": {"default": 1000},
        "accounts": [{"name": text, "scopes": [text]} for text in distinct(300, 25)],
        "subscriptions": [
            {
                "name": name,
                "account": "root",
                "filter": {"scopes": ["s" * 25]},
                "rules": [{"rseExpression": "*"}],
            }
            for name in distinct(200, 9)
        ],
        "options": [{"section": "s", "option": name, "value": "v"} for name in distinct(200, 9)],
    }


def shortfalls(part: Mapping[str, Any], value: Any, path: str = "spec") -> Iterator[str]:
    """Where `value` is smaller than the schema would admit, or says nothing."""
    if part.get("enum") or value is None:
        return
    if most := part.get("maxLength"):
        if len(value) < most:
            yield f"{path}: {len(value)} of {most} characters"
    elif (most := part.get("maxItems")) and len(value) < most:
        yield f"{path}: {len(value)} of {most} items"
    for name, below in (part.get("properties") or {}).items():
        if name in value:
            yield from shortfalls(below, value[name], f"{path}.{name}")
        elif below["type"] in ("string", "array", "object") and "enum" not in below:
            yield f"{path}.{name}: not given"
    if below := part.get("items"):
        for item in value:
            yield from shortfalls(below, item, f"{path}[]")
