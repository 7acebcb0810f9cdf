"""The demo's identity provider: Keycloak with a realm, two people and a client for the operator."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

NAMESPACE = "keycloak"
DOMAIN = "vre.localhost"
HOSTNAME = f"keycloak.{DOMAIN}"
REALM = "vre"
ISSUER = f"https://{HOSTNAME}/realms/{REALM}"
PASSWORDS = {"alice": "alice-demo", "bob": "bob-demo"}
"""The people of the realm. Only alice is in the group ``researchers``."""
REGISTRATION = {"client_id": "vre-operator", "client_secret": "vre-operator-demo"}
"""The service account with which the operator registers clients, as ``credentialsSecret`` wants it."""
USER_OFFICE = {"client_id": "user-office", "client_secret": "user-office-demo"}
"""A service account that puts people into groups: whoever does so at a real site."""

_NAME = "keycloak"
_LABELS = {"app.kubernetes.io/name": _NAME}
_MEMBERSHIPS = {"alice": ["/researchers"]}


def manifests(
    *,
    image: str,
    passwords: Mapping[str, str] = PASSWORDS,
    registration: Mapping[str, str] = REGISTRATION,
    ingress_class: str = "nginx",
) -> list[Manifest]:
    """Give everything to apply, the namespace first; ready when the Deployment is available."""
    realm = json.dumps(_realm(passwords, registration), indent=1)
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _object("v1", "Secret", stringData={f"{REALM}.json": realm}),
        _object("v1", "Service", spec={"selector": _LABELS, "ports": [{"port": 80, "targetPort": "http"}]}),
        _object("networking.k8s.io/v1", "Ingress", spec=_ingress(ingress_class)),
        _object(
            "apps/v1", "Deployment", spec=_deployment(image, hashlib.sha256(realm.encode()).hexdigest()[:16])
        ),
    ]


def _object(api_version: str, kind: str, **fields: Any) -> Manifest:
    metadata = {"name": _NAME, "namespace": NAMESPACE, "labels": _LABELS}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def _ingress(ingress_class: str) -> Manifest:
    backend = {"service": {"name": _NAME, "port": {"number": 80}}}
    rule = {"host": HOSTNAME, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    # No secretName: the controller's own certificate covers the demo's domain.
    return {"ingressClassName": ingress_class, "rules": [rule], "tls": [{"hosts": [HOSTNAME]}]}


def _deployment(image: str, realm_digest: str) -> Manifest:
    environment = {
        "KC_HOSTNAME": f"https://{HOSTNAME}",
        "KC_PROXY_HEADERS": "xforwarded",
        "KC_HTTP_ENABLED": "true",
        # The same as in the development image's build, which then needs none; the official image makes one.
        "KC_DB": "dev-file",
        "KC_HEALTH_ENABLED": "true",
        "KC_CACHE": "local",
        "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx384m",
    }
    ready = {"httpGet": {"path": "/health/ready", "port": "management"}, "timeoutSeconds": 5}
    container = {
        "name": _NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["start", "--import-realm"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "management", "containerPort": 9000}],
        "startupProbe": ready | {"periodSeconds": 1, "failureThreshold": 300},
        "readinessProbe": ready | {"periodSeconds": 5},
        "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}, "limits": {"memory": "900Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "realm", "mountPath": "/opt/keycloak/data/import", "readOnly": True}],
    }
    return {
        # Its database is a file in the container: two at a time would be two providers.
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": _LABELS},
        "template": {
            "metadata": {"labels": _LABELS, "annotations": {"vre.science/realm": realm_digest}},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                # Its start script does not pass the signal on, and there is nothing to save.
                "terminationGracePeriodSeconds": 2,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 1000,
                    "runAsGroup": 0,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": [{"name": "realm", "secret": {"secretName": _NAME}}],
            },
        },
    }


def _realm(passwords: Mapping[str, str], registration: Mapping[str, str]) -> Manifest:
    # Enough to register and look at clients, and to see who is in which group.
    roles = {
        "realm-management": ["manage-clients", "view-clients", "query-clients", "view-users", "query-groups"]
    }
    office = {"realm-management": ["manage-users", "view-users", "query-users", "query-groups"]}
    accounts = [(registration, roles), (USER_OFFICE, office)]
    return {
        "realm": REALM,
        "displayName": "VRE demo",
        "enabled": True,
        "groups": [{"name": "researchers"}, {"name": "staff"}],
        "clients": [_client(account) for account, _ in accounts],
        "users": [
            *(_person(name, password) for name, password in passwords.items()),
            *(_service_account(account["client_id"], rights) for account, rights in accounts),
        ],
    }


def _client(account: Mapping[str, str]) -> Manifest:
    return {
        "clientId": account["client_id"],
        "secret": account["client_secret"],
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "publicClient": False,
    }


def _service_account(client_id: str, rights: Mapping[str, list[str]]) -> Manifest:
    return {
        "username": f"service-account-{client_id}",
        "enabled": True,
        "serviceAccountClientId": client_id,
        "clientRoles": dict(rights),
    }


def _person(name: str, password: str) -> Manifest:
    return {
        "username": name,
        "enabled": True,
        "firstName": name.capitalize(),
        "lastName": "Demo",
        "email": f"{name}@example.org",
        "emailVerified": True,
        "groups": _MEMBERSHIPS.get(name, []),
        "credentials": [{"type": "password", "value": password, "temporary": False}],
    }
