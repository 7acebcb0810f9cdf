"""A reader of NetworkPolicies: may this pod or address speak to that one?

Engines differ in whether an ipBlock speaks of pods and nodes. `allowed` asks for yes under every reading, so
that it works everywhere; `possible` for yes under any, so that its `not` is safe everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from vre_operator.engine.resources import Resource


@dataclass(frozen=True)
class Pod:
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "10.244.0.7"


@dataclass(frozen=True)
class Address:
    address: str


End = Pod | Address


@dataclass(frozen=True)
class Network:
    policies: tuple[Resource, ...]

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Network:
        return cls(tuple(each for each in resources if each.id.kind.endswith("/NetworkPolicy")))

    def allowed(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        return self._passes(source, target, port, protocol, blocks_match_pods=False)

    def possible(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        return self.allowed(source, target, port, protocol) or self._passes(
            source, target, port, protocol, blocks_match_pods=True
        )

    def _passes(self, source: End, target: End, port: int, protocol: str, *, blocks_match_pods: bool) -> bool:
        def side(pod: End, other: End, direction: str, peers: str) -> bool:
            if isinstance(pod, Address):
                return True
            specs = [
                each.body["spec"]
                for each in self.policies
                if each.id.namespace == pod.namespace and _selects(each.body["spec"]["podSelector"], pod.labels)
            ]
            closed = [spec for spec in specs if direction in spec["policyTypes"]]
            return not closed or any(
                _rule(rule, peers, other, port, protocol, pod.namespace, blocks_match_pods)
                for spec in closed
                for rule in spec.get(direction.lower(), [])
            )

        return side(source, target, "Egress", "to") and side(target, source, "Ingress", "from")


def _rule(  # noqa: PLR0917
    rule: Mapping[str, Any], peers: str, other: End, port: int, protocol: str, namespace: str, blocks: bool
) -> bool:
    ports = rule.get("ports")
    fits = ports is None or any(
        each["protocol"] == protocol and each["port"] <= port <= each.get("endPort", each["port"])
        for each in ports
    )
    return fits and (peers not in rule or any(_peer(peer, other, namespace, blocks) for peer in rule[peers]))


def _peer(peer: Mapping[str, Any], other: End, namespace: str, blocks: bool) -> bool:
    if block := peer.get("ipBlock"):
        address = ip_address(other.address)
        return (
            (blocks or isinstance(other, Address))
            and address in ip_network(block["cidr"])
            and not any(address in ip_network(hole) for hole in block.get("except", []))
        )
    if isinstance(other, Address):
        return False
    there = {"kubernetes.io/metadata.name": other.namespace}
    right_place = (
        _selects(peer["namespaceSelector"], there)
        if "namespaceSelector" in peer
        else other.namespace == namespace
    )
    return right_place and _selects(peer.get("podSelector", {}), other.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "Exists" for one in expressions), "this reader knows no other"
    exact = bool(selector.get("matchLabels", {}).items() <= labels.items())
    return exact and all(one["key"] in labels for one in expressions)
