"""The processes of a cluster, as data: the supervisor starts them and keeps them running."""

from dataclasses import dataclass

from dev.cluster import config, nginx
from dev.cluster.layout import Layout, module_command
from dev.system import find


@dataclass(frozen=True)
class Component:
    """One process of the cluster."""

    name: str
    command: list[str]
    after_api: bool = True
    """Start it only when the API server answers, so that it need not fail and wait first."""
    on_host: bool = False
    """Run it in the host's network instead of the node's."""


def components(layout: Layout) -> list[Component]:
    """List every process of this cluster in the order of starting."""
    control_plane = [_etcd(layout), _api_server(layout), _controller_manager(layout)]
    if layout.bare:
        return control_plane
    return [*control_plane, _scheduler(layout), *(_node(layout) if layout.node else [_kwok(layout)])]


def _program(layout: Layout, name: str, **flags: object) -> list[str]:
    """Spell ``a_flag=True`` as ``--a-flag=true``."""
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in flags.items()}
    return [str(layout.program / name), *(f"--{flag.replace('_', '-')}={v}" for flag, v in texts.items())]


def _etcd(layout: Layout) -> Component:
    # No other member exists: what it is told of a peer only has to look like an address.
    peer = "http://localhost:1"
    command = _program(
        layout,
        "etcd",
        data_dir=layout.state / "etcd",
        # A socket in a private directory needs neither a port nor certificates of its own.
        listen_client_urls=f"unix://{layout.state}/etcd.sock",
        advertise_client_urls=peer,
        listen_peer_urls="unix://",
        initial_advertise_peer_urls=peer,
        initial_cluster=f"default={peer}",
        # A cluster that is thrown away with its machine has nothing to lose in a power cut.
        unsafe_no_fsync=True,
        log_level="warn",
    )
    return Component("etcd", command, after_api=False)


def _api_server(layout: Layout) -> Component:
    pki = layout.pki
    command = _program(
        layout,
        "kube-apiserver",
        etcd_servers=f"unix://{layout.state}/etcd.sock",
        bind_address=layout.node_ip,
        advertise_address=layout.node_ip,
        secure_port=layout.api_port,
        service_cluster_ip_range=layout.service_range,
        authorization_mode="Node,RBAC",
        enable_admission_plugins="NodeRestriction",
        allow_privileged=True,
        client_ca_file=layout.ca_file,
        tls_cert_file=pki / "apiserver.crt",
        tls_private_key_file=pki / "apiserver.key",
        kubelet_preferred_address_types="InternalIP",
        kubelet_certificate_authority=layout.ca_file,
        kubelet_client_certificate=pki / "admin.crt",
        kubelet_client_key=pki / "admin.key",
        service_account_issuer="https://kubernetes.default.svc.cluster.local",
        service_account_key_file=pki / "service-account.crt",
        service_account_signing_key_file=pki / "service-account.key",
        audit_policy_file=layout.config / "audit-policy.yaml",
        audit_log_path=layout.audit_log,
        audit_log_maxsize=config.AUDIT_MEGABYTES,
    )
    if not layout.node:
        # A loopback address is no valid endpoint of the Service `kubernetes`.
        command += ["--endpoint-reconciler-type=none"]
    return Component("kube-apiserver", command, after_api=False)


def _controller_manager(layout: Layout) -> Component:
    flags: dict[str, object] = {
        "kubeconfig": layout.config / "controller-manager.kubeconfig",
        "leader_elect": False,
        "secure_port": 0,
        "use_service_account_credentials": True,
        "service_account_private_key_file": layout.pki / "service-account.key",
        "root_ca_file": layout.ca_file,
        "allocate_node_cidrs": layout.node,
        "cluster_cidr": layout.pod_range,
        "node_cidr_mask_size": layout.pod_range.prefixlen,
        # Without a node no provisioner pod can run: claims are bound by the built-in one.
        "enable_hostpath_provisioner": not layout.node,
        "flex_volume_plugin_dir": layout.state / "volume-plugins",
    }
    if layout.bare:
        flags["controllers"] = ",".join(_LIFE_AND_DEATH)
    return Component("kube-controller-manager", _program(layout, "kube-controller-manager", **flags))


# What gives a namespace its account, and what ends objects.
_LIFE_AND_DEATH = (
    "serviceaccount-controller",
    "namespace-controller",
    "garbage-collector-controller",
    "persistentvolumeclaim-protection-controller",
)


def _scheduler(layout: Layout) -> Component:
    kubeconfig = layout.config / "scheduler.kubeconfig"
    command = _program(layout, "kube-scheduler", kubeconfig=kubeconfig, leader_elect=False, secure_port=0)
    return Component("kube-scheduler", command)


def _kwok(layout: Layout) -> Component:
    flags: dict[str, object] = {
        "kubeconfig": layout.kubeconfig,
        "manage_all_nodes": True,
        "node_ip": layout.node_ip,
        # kwok renews none by default, and after 40 s the node, and every pod on it, is no longer ready.
        "node_lease_duration_seconds": 40,
    }
    return Component("kwok", _program(layout, "kwok", **flags, cidr=layout.pod_range, config="/dev/null"))


def _node(layout: Layout) -> list[Component]:
    containerd_config = str(layout.config / "containerd.toml")
    kubelet = _program(
        layout,
        "kubelet",
        config=layout.config / "kubelet.yaml",
        kubeconfig=layout.config / "kubelet.kubeconfig",
        cert_dir=layout.pki,
        hostname_override=f"vre-{layout.name}",
        node_ip=layout.node_ip,
    )
    runtime = module_command("dev.cluster.runtime", containerd_config, str(layout.containerd_socket))
    parts = [
        Component("containerd", runtime, after_api=False),
        Component("kubelet", kubelet),
        Component("kube-proxy", _program(layout, "kube-proxy", config=layout.config / "kube-proxy.yaml")),
        Component("nginx", nginx.command(layout), after_api=False),
        Component("ingress", module_command("dev.cluster.ingress", layout.name)),
    ]
    for port, node_port in ((layout.https_port, 443), (layout.http_port, 80)):
        if port:
            listen = f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr"
            relay = [str(find("socat")), listen, f"TCP:{layout.node_ip}:{node_port}"]
            parts.append(Component(f"host-port-{port}", relay, on_host=True))
    return parts
