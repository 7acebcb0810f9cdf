"""The same cluster as a kind cluster, for machines with a Docker engine.

NOT TRIED: it was written on a machine without Docker. It takes kind's own image, storage and DNS, the stock
ingress-nginx, and adds what the rest of the project expects by name.
"""

import functools
import json
import os
import string
import subprocess
from pathlib import Path

import yaml

from dev.cluster import certs, config, layout
from dev.cluster.layout import DOMAIN, Layout
from dev.cluster.paths import cache_dir
from dev.progress import step
from dev.system import MissingError, find

_VERSION = "v0.32.0"
_INGRESS = (
    "https://raw.githubusercontent.com/kubernetes/ingress-nginx/controller-v1.14.1"
    "/deploy/static/provider/kind/deploy.yaml"
)
_MARK = "kind"
_ZONE = string.Template("""
$domain:53 {
    template IN A {
        answer "{{ .Name }} 60 IN A $address"
    }
    template IN ANY {
        rcode NOERROR
    }
}
""")
_CERTIFICATE_ARGUMENT = [
    {
        "op": "add",
        "path": "/spec/template/spec/containers/0/args/-",
        "value": "--default-ssl-certificate=ingress-nginx/development-domain",
    }
]


@functools.cache
def usable() -> bool:
    """Tell whether a Docker engine answers."""
    return bool(find("docker")) and _run("docker", "info", check=False).returncode == 0


def exists(name: str) -> bool:
    """Tell whether ``name`` is up as a kind cluster."""
    return (layout.state_dir(name) / _MARK).exists()


def up(name: str, *, https_port: int | None, http_port: int | None) -> None:
    """Create the cluster unless it exists."""
    if exists(name):
        return
    for program in ("kubectl", "helm"):
        if not find(program):
            raise MissingError(f"the program `{program}` is missing: install it and try again")
    made = Layout(name, node=True, bin=str(_programs()), https_port=https_port, http_port=http_port)
    made.logs.mkdir(parents=True, exist_ok=True)
    authority = certs.Authority(made.pki)
    authority.issue("ingress", f"*.{DOMAIN}", hosts=[DOMAIN, f"*.{DOMAIN}"])
    made.config.mkdir(exist_ok=True)
    (made.config / "audit-policy.yaml").write_text(json.dumps(config.AUDIT_POLICY))
    settings = made.config / "kind.yaml"
    settings.write_text(yaml.safe_dump(_settings(made)))
    with step("creating the kind cluster"):
        kubeconfig = f"--kubeconfig={made.kubeconfig}"
        _kind("create", "cluster", "--name", name, "--config", str(settings), kubeconfig, "--wait", "180s")
    made.save()
    (made.state / _MARK).touch()
    with step("adding DNS, storage and Ingress"):
        _extend(made)


def down(name: str) -> None:
    """Delete the cluster."""
    _kind("delete", "cluster", "--name", name)


def load(name: str, archives: list[Path]) -> list[str]:
    """Load image archives; kind itself skips what the node has."""
    for archive in archives:
        _kind("load", "image-archive", "--name", name, str(archive))
    return [str(archive) for archive in archives]


def node_ip(name: str) -> str:
    """Give the address of the node's container."""
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return _run("docker", "inspect", "-f", template, f"{name}-control-plane").stdout.strip()


def _programs() -> Path:
    """Give a directory with kind, kubectl and helm."""
    directory = cache_dir() / "bin" / f"kind-{_VERSION}"
    if not (directory / "kind").exists():
        with step(f"building kind {_VERSION}"):
            env = os.environ | {"GOBIN": str(directory)}
            _run("go", "install", f"sigs.k8s.io/kind@{_VERSION}", env=env)
    for program in ("kubectl", "helm"):
        link = directory / program
        link.unlink(missing_ok=True)
        link.symlink_to(str(find(program)))
    return directory


def _settings(made: Layout) -> dict[str, object]:
    api_server = {
        "extraArgs": {
            "audit-policy-file": "/etc/vre/config/audit-policy.yaml",
            "audit-log-path": "/etc/vre/log/audit.log",
            "audit-log-maxsize": str(config.AUDIT_MEGABYTES),
        },
        "extraVolumes": [{"name": "vre", "hostPath": "/etc/vre", "mountPath": "/etc/vre", "readOnly": False}],
    }
    patches = [
        {"kind": "ClusterConfiguration", "apiServer": api_server},
        {
            "kind": "InitConfiguration",
            "nodeRegistration": {"kubeletExtraArgs": {"node-labels": "ingress-ready=true"}},
        },
    ]
    ports = [
        {"containerPort": inside, "hostPort": outside, "listenAddress": "127.0.0.1"}
        for inside, outside in ((443, made.https_port), (80, made.http_port))
        if outside
    ]
    node = {
        "role": "control-plane",
        "extraPortMappings": ports,
        "extraMounts": [
            {"hostPath": str(made.logs), "containerPath": "/etc/vre/log"},
            {"hostPath": str(made.config), "containerPath": "/etc/vre/config"},
        ],
        "kubeadmConfigPatches": [yaml.safe_dump(patch) for patch in patches],
    }
    return {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [node]}


def _extend(made: Layout) -> None:
    kubectl = functools.partial(_run, str(made.program / "kubectl"), f"--kubeconfig={made.kubeconfig}")
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local-path"},
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    kubectl("apply", "-f", "-", text_in=json.dumps(storage))
    kubectl("apply", "-f", _INGRESS)
    certificate = [f"--cert={made.pki / 'ingress.crt'}", f"--key={made.pki / 'ingress.key'}"]
    kubectl("-n", "ingress-nginx", "create", "secret", "tls", "development-domain", *certificate)
    controller = ("-n", "ingress-nginx", "deployment/ingress-nginx-controller")
    kubectl("patch", *controller, "--type=json", "-p", json.dumps(_CERTIFICATE_ARGUMENT))
    corefile = kubectl(
        "-n", "kube-system", "get", "configmap", "coredns", "-o", "jsonpath={.data.Corefile}"
    ).stdout
    zone = _ZONE.substitute(domain=DOMAIN, address=node_ip(made.name))
    patch = json.dumps({"data": {"Corefile": corefile + zone}})
    kubectl("-n", "kube-system", "patch", "configmap", "coredns", "-p", patch)
    kubectl("-n", "kube-system", "rollout", "restart", "deployment/coredns")
    kubectl("rollout", "status", *controller, "--timeout=180s")


def _kind(*arguments: str) -> None:
    _run(str(_programs() / "kind"), *arguments)


def _run(
    *command: str, check: bool = True, env: dict[str, str] | None = None, text_in: str | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, env=env, input=text_in, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stderr.strip()}")
    return done
