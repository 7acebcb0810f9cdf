"""What every cluster has beyond bare Kubernetes: DNS, storage, the Ingress class."""

import string
import subprocess
from pathlib import Path

from dev.cluster.images import OwnImages
from dev.cluster.layout import DOMAIN, Layout

_MANIFESTS = Path(__file__).parent / "manifests"
_DEPLOYMENTS = (("kube-system", "coredns"), ("local-path-storage", "local-path-provisioner"))


def apply(layout: Layout, images: OwnImages | None) -> None:
    """Create the objects; the API server must answer."""
    name = "node.yaml" if images else "bare.yaml" if layout.bare else "no-node.yaml"
    template = _MANIFESTS / name
    values = {"name": layout.name, "domain": DOMAIN, "node_ip": layout.node_ip, "dns_ip": layout.dns_ip}
    values |= {"volumes": layout.state / "volumes"}
    if images:
        values |= {"coredns": images.coredns, "provisioner": images.provisioner, "helper": images.helper}
    rendered = layout.config / "addons.yaml"
    rendered.write_text(string.Template(template.read_text()).substitute(values))
    kubectl(layout, "apply", "--server-side", "-f", str(rendered))


def wait_ready(layout: Layout, seconds: int) -> None:
    """Wait until the node and the add-ons work."""
    limit = f"--timeout={seconds}s"
    if not layout.bare:
        kubectl(layout, "wait", "--for=create", f"node/vre-{layout.name}", limit)
        kubectl(layout, "wait", "--for=condition=Ready", f"node/vre-{layout.name}", limit)
    # Without it the API server refuses pods in the default namespace.
    kubectl(layout, "wait", "--for=create", "serviceaccount/default", limit)
    if layout.node:
        for namespace, deployment in _DEPLOYMENTS:
            kubectl(layout, "-n", namespace, "rollout", "status", f"deployment/{deployment}", limit)


def kubectl(layout: Layout, *arguments: str) -> str:
    """Run kubectl as the cluster's administrator and give its output."""
    command = [str(layout.program / "kubectl"), f"--kubeconfig={layout.kubeconfig}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
