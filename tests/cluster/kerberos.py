"""What REANA makes of a step with `kerberos: true`: tests/reana/test_kerberos.py compares it with REANA's own
code of both generations."""

from __future__ import annotations

import uuid
from typing import Any

PERSON = str(uuid.UUID(int=1))
STORE = f"reana-secretsstore-{PERSON}"
IMAGE = "example.org/kerberos:1"
CACHE = "/krb5_cache/"
LATER = "reana-commons 0.95.0a22"
"""In no image that is a default here yet."""
_CONTEXTS: dict[str, dict[str, Any]] = {
    "0.9": {"runAsUser": 1000},
    "0.95": {"runAsUser": 1000, "runAsNonRoot": True},
    LATER: {
        "runAsUser": 1000,
        "runAsGroup": 0,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


def made(generation: str) -> dict[str, Any]:
    """Volumes, mounts, environment and both containers, without the arguments of their commands."""
    mounts = [
        {"name": "krb5-cache", "mountPath": CACHE},
        {"name": "krb5-conf", "mountPath": "/etc/krb5.conf", "subPath": "krb5.conf"},
    ]
    env = [{"name": "KRB5CCNAME", "value": f"{CACHE}krb5_1000"}]
    both = {
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": env,
        "volumeMounts": [{"name": STORE, "mountPath": "/etc/reana/secrets", "readOnly": True}, *mounts],
        "securityContext": _CONTEXTS[generation],
    }
    ends = {"lifecycle": {"preStop": {"exec": {"command": ["touch", f"{CACHE}status_file"]}}}}
    asks = ["kinit", "-kt", "/etc/reana/secrets/my.keytab", "alice@CERN.CH"]
    return {
        "volumes": [
            {"name": "krb5-cache", "emptyDir": {}},
            {"name": "krb5-conf", "configMap": {"name": "reana-krb5-conf"}},
        ],
        "volume_mounts": mounts,
        "env": env,
        "init_container": both | {"name": "krb5-init", "command": asks},
        "renew_container": both
        | {"name": "krb5-renew", "command": ["bash", "-c"]}
        | (ends if generation != "0.9" else {}),
    }
