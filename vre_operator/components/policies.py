"""Builders for network policies. docs/network.md has the table of all flows and who opens them.

Every namespace of a tenant is closed both ways (component tenancy), so a flow needs two rules: egress where
it starts, ingress where it ends. Rules see addresses after the translation of Services: peers are pods, and
ports are the pods' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.engine.resources import Resource, ResourceId

Rule = dict[str, Any]
Peer = dict[str, Any]

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"

# Where clouds hand out a node's credentials, with the link-local networks that most of them live in.
METADATA_V4 = ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")
METADATA_V6 = ("fd00:ec2::254/128", "fd20:ce::254/128", "fe80::/10")

# What is not the public internet, and the IPv6 networks that lead back into IPv4.
PRIVATE_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)
PRIVATE_V6 = ("::/8", "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8")


def policy(
    env: Environment,
    component: str,
    name: str,
    *,
    selects: Mapping[str, str | None],
    ingress: Sequence[Rule] = (),
    egress: Sequence[Rule] = (),
    namespace: str = "",
    needs: Iterable[ResourceId] = (),
) -> Resource:
    """A NetworkPolicy that opens flows of the pods with labels `selects` (all of the namespace when empty); of
    a label whose value is None every value counts."""
    namespace = namespace or env.namespace
    spec: dict[str, Any] = {
        "podSelector": _selector(selects),
        "policyTypes": (["Ingress"] if ingress else []) + (["Egress"] if egress else []),
    }
    if ingress:
        spec["ingress"] = list(ingress)
    if egress:
        spec["egress"] = list(egress)
    return Resource(
        id=ids.network_policy(env, namespace, name),
        component=component,
        body={"spec": spec},
        needs=frozenset(needs) | {kube("v1/Namespace", "", namespace)},
    )


def _selector(labels: Mapping[str, str | None]) -> Peer:
    exact = {key: value for key, value in labels.items() if value is not None}
    exists = [{"key": key, "operator": "Exists"} for key, value in labels.items() if value is None]
    return ({"matchLabels": exact} if exact else {}) | ({"matchExpressions": exists} if exists else {})


def accept(peers: Sequence[Peer], *ports: int) -> Rule:
    """An ingress rule: `peers` (everybody when empty) may reach `ports`."""
    return ({"from": list(peers)} if peers else {}) | {"ports": [_tcp(port) for port in ports]}


def reach(peers: Sequence[Peer], *ports: int) -> Rule:
    """An egress rule: `ports` of `peers` (of everything when empty) may be reached."""
    return ({"to": list(peers)} if peers else {}) | {"ports": [_tcp(port) for port in ports]}


def _tcp(port: int) -> Rule:
    return {"protocol": "TCP", "port": port}


def pods(env: Environment, name: str, namespace: str = "") -> Peer:
    """The pods of workload `name` in a namespace (the tenant's own when empty), seen from anywhere."""
    return {
        **_namespace(namespace or env.namespace),
        "podSelector": {"matchLabels": workloads.selector(env, name)},
    }


def engines(env: Environment) -> Peer:
    """The engines of people's workflows."""
    return _namespace(env.workflows) | {"podSelector": _selector(ids.RUN_LABELS)}


def jobs(env: Environment) -> Peer:
    """The jobs of people's workflows."""
    return _namespace(env.workflows) | {"podSelector": _selector({ids.STEP_LABEL: None})}


def sessions(env: Environment) -> Peer:
    """People's notebooks; other pods of their namespace (checks of images) speak to nobody."""
    return _namespace(env.notebooks) | {"podSelector": {"matchLabels": ids.SESSION_LABELS}}


def workspace_sessions(env: Environment) -> Peer:
    """The sessions on a workflow's workspace."""
    return _namespace(env.workflows) | {"podSelector": _selector(ids.WORKSPACE_SESSION_LABELS)}


def _anywhere() -> list[Peer]:
    """But metadata."""
    return [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(METADATA_V4)}},
        {"ipBlock": {"cidr": "::/0", "except": list(METADATA_V6)}},
        {"namespaceSelector": {}},  # pods too: not every engine counts them as addresses
    ]


def _namespace(name: str) -> Peer:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: name}}}


def front_door(env: Environment) -> list[Peer]:
    """What carries people's requests, for `accept`: everybody where the site cannot say which pods that is for
    this tenant."""
    site = env.site
    serving = site.gateway_namespace if env.spec.exposure.gateway else site.ingress_namespace
    return _doors(env) if serving else []


def _doors(env: Environment) -> list[Peer]:
    """The ingress controller and the pods of Gateways, as far as the site names them. Both for every tenant:
    whoever moves from one to the other is not cut off on the way."""
    named = (env.site.ingress_namespace, env.site.gateway_namespace)
    return [_namespace(one) for one in dict.fromkeys(named) if one]


def operator(env: Environment) -> Peer:
    """The operator, which keeps what is declared in a tenant's services."""
    return _namespace(env.site.operator_namespace)


def dns() -> Rule:
    """Egress to the cluster's DNS.

    By namespace only: the pods' labels differ between distributions. 169.254.20.10 is NodeLocal DNSCache,
    which runs on the node's network and no selector matches.
    """
    return {
        "to": [_namespace("kube-system"), {"ipBlock": {"cidr": "169.254.20.10/32"}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }


def api_server() -> Rule:
    """Egress to the Kubernetes API server.

    To any address: policies see the endpoint behind the Service `kubernetes`, whose address nothing in the
    cluster's API promises to be stable, and some engines (Cilium) match no ipBlock against a node.
    """
    return reach([], 443, 6443)


def issuer(env: Environment) -> list[Rule]:
    """Egress to the identity provider and other HTTPS services, public or in the cluster, but no metadata.

    The provider may stand behind an ingress controller or a Gateway in this cluster, whose pods listen on ports
    of their own: traffic to the namespaces of these is open on all.
    """
    port = urlsplit(env.spec.identity.issuer).port or 443
    rules = [reach(_anywhere(), *sorted({443, port}))]
    return rules + ([{"to": doors}] if (doors := _doors(env)) else [])


def front_doors(env: Environment) -> list[Rule]:
    """Egress to the tenant's own hostnames, for who may reach the public internet but no private network.

    A controller with a public address needs nothing of it.
    """
    rules: list[Rule] = [{"to": doors}] if (doors := _doors(env)) else []
    if env.site.ingress_cidrs:
        rules.append(reach([{"ipBlock": {"cidr": cidr}} for cidr in env.site.ingress_cidrs], 443))
    return rules


def internet() -> Rule:
    """Egress to the public internet, all ports: data transfer uses many. No private network, no metadata."""
    return {
        "to": [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE_V4)}},
            {"ipBlock": {"cidr": "::/0", "except": list(PRIVATE_V6)}},
        ]
    }


def compute(env: Environment) -> list[Rule]:
    """Egress to the batch systems that the site has in networks that are not public."""
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in env.site.compute_cidrs]
    return [{"to": blocks}] if blocks else []


def kdcs(env: Environment) -> list[Rule]:
    """Egress to Kerberos there: tickets are asked for and renewed on port 88, and nothing here changes a
    password (464) or a principal (749)."""
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in env.site.compute_cidrs]
    port = ids.KERBEROS_PORT
    return [{"to": blocks, "ports": [{"protocol": "UDP", "port": port}, _tcp(port)]}] if blocks else []


def storage() -> Rule:
    """Egress to storage anywhere but to metadata: an RSE may be a grid site's, or stand beside the cluster."""
    return {
        "to": _anywhere(),
        "ports": [_tcp(443), {"protocol": "TCP", "port": 1024, "endPort": 65535}],
    }


def database(env: Environment) -> Rule:
    """Egress to the tenant's database server.

    An external one can be anywhere and its port is in a Secret that no component reads: every address but
    metadata is open, on all unprivileged ports.
    """
    if env.spec.database.external is None:
        return reach([pods(env, ids.DATABASE)], ids.DATABASE_PORT)
    return {
        "to": _anywhere(),
        "ports": [{"protocol": "TCP", "port": 1024, "endPort": 65535}],
    }
