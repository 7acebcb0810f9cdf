"""The node's network: a namespace joined to the host by one cable, with no way further out."""

import json
import os
import subprocess
import time
from ipaddress import IPv4Network
from typing import Any

from dev.cluster.layout import BENCH_RANGE, CLUSTER_RANGES, Layout

_INTERFACE_PREFIX = "vre-"


def create_node_network(layout: Layout) -> list[str]:
    """Make the namespace; give the command prefix that runs a program in it."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    namespace = f"/proc/{holder.pid}/ns/net"
    deadline = time.monotonic() + 10
    while os.readlink(namespace) == os.readlink("/proc/self/ns/net"):  # noqa: PTH115
        if time.monotonic() > deadline:
            raise RuntimeError("no network namespace could be made")
        time.sleep(0.01)
    prefix = ["nsenter", f"--net={namespace}", "--"]
    length = layout.link_range.prefixlen
    cable = layout.interface
    _ip(
        f"link add {cable} type veth peer name eth0 netns {holder.pid}",
        f"addr add {layout.host_ip}/{length} dev {cable}",
        f"link set {cable} up",
    )
    _ip(
        "link set lo up",
        f"addr add {layout.node_ip}/{length} dev eth0",
        "link set eth0 up",
        # The kernel looks for a route before kube-proxy's rules see the packet: any route will do, and
        # this one keeps a packet for a Service without rules here.
        f"route add {layout.service_range} dev lo src {layout.node_ip}",
        prefix=prefix,
    )
    for name, value in {"ip_forward": 1, "conf.all.rp_filter": 0, "conf.default.rp_filter": 0}.items():
        _sysctl(prefix, f"net.ipv4.{name}", value)
    _sysctl(prefix, "net.ipv6.conf.all.disable_ipv6", 1)
    _sysctl(prefix, "net.bridge.bridge-nf-call-iptables", 1)
    _ip(
        f"route add {layout.pod_range} via {layout.node_ip}",
        f"route add {layout.service_range} via {layout.node_ip}",
    )
    return prefix


def add_blackhole() -> None:
    """Keep packets for absent pods and Services from leaving by the host's default route."""
    if not _has_blackhole():
        _ip(f"route add blackhole {BENCH_RANGE}")


def remove(interface: str) -> None:
    """Remove what a cluster left on the host, and the blackhole with the last cluster."""
    # The kernel removes the cable with the namespace, but only some time after the last process.
    subprocess.run(["ip", "link", "delete", interface], capture_output=True, check=False)
    others = [link["ifname"] for link in _ip_json("link", "show", "type", "veth")]
    if not any(name.startswith(_INTERFACE_PREFIX) for name in others) and _has_blackhole():
        _ip(f"route del blackhole {BENCH_RANGE}")


def free_index(taken: set[int]) -> int:
    """Find a part of the range that no other cluster has, even one of another user's cache."""
    routed = [
        IPv4Network(route["dst"])
        for route in _ip_json("-4", "route", "show")
        if "/" in route["dst"] and route.get("type") != "blackhole"
    ]
    for index, part in enumerate(CLUSTER_RANGES):
        if index not in taken and not any(part.overlaps(net) for net in routed if net.prefixlen > 15):
            return index
    raise RuntimeError(f"all {len(CLUSTER_RANGES)} parts of {BENCH_RANGE} are in use: bring a cluster down")


def _has_blackhole() -> bool:
    routes = _ip_json("-4", "route", "show", "type", "blackhole")
    return any(route["dst"] == str(BENCH_RANGE) for route in routes)


def _ip(*lines: str, prefix: list[str] | None = None) -> None:
    subprocess.run([*(prefix or []), "ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def _ip_json(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=True)
    result: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return result


def _sysctl(prefix: list[str], name: str, value: int) -> None:
    path = "/proc/sys/" + name.replace(".", "/")
    # What this kernel does not have it need not be told.
    script = f"test ! -e {path} || echo {value} > {path}"
    subprocess.run([*prefix, "sh", "-c", script], check=True)
