"""The configuration files of the cluster's programs."""

import base64
import json
from pathlib import Path
from typing import Any

import yaml

from dev.cluster import nginx
from dev.cluster.layout import Layout

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
AUDIT_MEGABYTES = 1_000_000
"""Never rotated: whoever reads on from where it was must find the same file."""


def write_all(layout: Layout, pause_image: str) -> None:
    """Write every configuration file into the cluster's state directory."""
    layout.config.mkdir(parents=True, exist_ok=True)
    clients = {"admin": layout.kubeconfig}
    names = ("controller-manager", "scheduler", "kubelet", "proxy")
    clients |= {name: layout.config / f"{name}.kubeconfig" for name in names}
    for client, path in clients.items():
        if (layout.pki / f"{client}.crt").exists():
            _write_kubeconfig(layout, client, path)
    _write(layout.config / "audit-policy.yaml", AUDIT_POLICY)
    if layout.node:
        _write(layout.config / "kubelet.yaml", _kubelet(layout))
        _write(layout.config / "kube-proxy.yaml", _kube_proxy(layout))
        _write(layout.config / "cni" / "10-vre.conflist", _cni(layout))
        (layout.config / "containerd.toml").write_text(_containerd(layout, pause_image))
        nginx.config_file(layout).write_text(nginx.render(layout, []))
        # Pods ask the cluster's DNS only; the host's resolver is out of their reach anyway.
        (layout.config / "resolv.conf").write_text("")


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))


def _write_kubeconfig(layout: Layout, client: str, path: Path) -> None:
    """Write a kubeconfig that refers to no other file, so that it can be copied."""
    context = f"vre-{layout.name}"
    cluster = {"server": layout.api_url, "certificate-authority-data": _base64(layout.ca_file)}
    user = {
        "client-certificate-data": _base64(layout.pki / f"{client}.crt"),
        "client-key-data": _base64(layout.pki / f"{client}.key"),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": user}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _kubelet(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(layout.ca_file)}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet.key"),
        "clusterDNS": [str(layout.dns_ip)],
        "clusterDomain": "cluster.local",
        "resolvConf": str(layout.config / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "enforceNodeAllocatable": ["none"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxPods": 250,
        "serializeImagePulls": False,
        # Images come from `load` only: what the kubelet throws away could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    }


def _kube_proxy(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.config / "proxy.kubeconfig")},
        "hostnameOverride": f"vre-{layout.name}",
        "clusterCIDR": str(layout.pod_range),
        "mode": "iptables",
        "oomScoreAdj": 0,
        # The connection table's size is the machine's, not this namespace's, to set.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"},
        "iptables": {"minSyncPeriod": "0s"},
    }


def _cni(layout: Layout) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": str(layout.pod_range)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni-addresses",
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
    port_map = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "vre", "plugins": [bridge, port_map]}


def _containerd(layout: Layout, pause_image: str) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{layout.containerd_root}"
state = "/run/containerd"
disabled_plugins = [{", ".join(f'"io.containerd.snapshotter.v1.{name}"' for name in _OTHER_SNAPSHOTTERS)}]

[grpc]
address = "{layout.containerd_socket}"

[{cri}]
sandbox_image = "{pause_image}"
# Without CAP_SYS_RESOURCE runc cannot lower the score, and no sandbox would start.
restrict_oom_score_adj = true
# As containerd 2 has them by default.
enable_unprivileged_ports = true

[{cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{layout.config}/cni"

[{cri}.containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
"""


_OTHER_SNAPSHOTTERS = ("aufs", "btrfs", "devmapper", "zfs")
