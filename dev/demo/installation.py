"""Everything of the project in one cluster: images, identity provider, operator. Shared by demo and tests."""

import json
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev import images, keycloak
from dev.cluster import Cluster
from dev.cluster.binaries import binaries
from dev.demo import journey, tenant
from dev.demo.kubectl import Body, Kubectl
from dev.progress import step

REPOSITORY = Path(__file__).resolve().parents[2]
CHART = REPOSITORY / "helm" / "vre-operator"
QUICKSTART = REPOSITORY / "examples" / "quickstart.yaml"
SYSTEM = "vre-system"
RELEASE = "vre-operator"
CLUSTER_OF_TESTS = "e2e"
ALICE, BOB = (journey.Login(name, keycloak.PASSWORDS[name]) for name in ("alice", "bob"))


def prepare() -> None:
    """Build what takes minutes: programs (the processors) and images (the network), side by side."""
    failures: list[BaseException] = []

    def build_images() -> None:
        try:
            images.build()
        except BaseException as error:
            failures.append(error)  # raised again in the caller's thread

    beside = threading.Thread(target=build_images)
    beside.start()
    binaries()
    beside.join()
    if failures:
        raise failures[0]


@dataclass(frozen=True)
class Installation:
    """A cluster with an operator and an identity provider in it."""

    cluster: Cluster

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.cluster.bin / "kubectl", self.cluster.kubeconfig)

    @property
    def issuer(self) -> str:
        return keycloak.ISSUER

    def install(self, *, ports: bool = False) -> None:
        """Bring everything up; what is there already is only looked at.

        ports: let 127.0.0.1 lead to the cluster's Ingress, for a person's browser, where the ports are free.
        """
        ports = ports and _free(443, 80)
        self.cluster.up(https_port=443 if ports else None, http_port=80 if ports else None)
        archives = images.build()
        with step("loading images into the node"):
            self.cluster.load(archives.values())
        self.start_keycloak()
        self.install_operator()

    def start_keycloak(self) -> None:
        with step("starting Keycloak"):
            self.kubectl.apply(*keycloak.manifests(image=images.refs()["keycloak"]))
            self.kubectl.rollout("deployment/keycloak", keycloak.NAMESPACE, timeout=300)

    def install_operator(self, values: Body | None = None) -> None:
        """Install or upgrade the chart, as an admin would. values: those for this cluster when absent."""
        with step("installing the operator"):
            self.helm(
                "upgrade", "--install", RELEASE, str(CHART), "--namespace", SYSTEM, "--create-namespace",
                "--values", "-", "--wait", "--timeout", "300s",
                stdin=json.dumps(values or self.values()),
            )  # fmt: skip
            # Helm is content with none of one ready, as the Deployment's strategy allows it.
            self.kubectl.rollout(f"deployment/{RELEASE}", SYSTEM, timeout=300)

    def values(self) -> Body:
        """The chart's values for this cluster."""
        refs = images.refs()
        repository, _, tag = refs["operator"].rpartition(":")
        names = {"rucioServer": "rucio-server", "rucioDaemons": "rucio-daemons"}
        services = ("hub", "proxy", "notebook", "rucioServer", "rucioDaemons", "xrootd", "postgres")
        return {
            "image": {"repository": repository, "tag": tag},
            "site": {
                "images": {name: refs[names.get(name, name)] for name in services}
                # REANA's own are in registries alone.
                | {"reana": {"messageBroker": refs["rabbitmq"], "cache": refs["redis"]}},
                "ingressClass": "nginx",
                "caBundle": self.cluster.ca_file.read_text(),
                "issuerCidrs": [f"{self.cluster.node_ip}/32"],
                # The images are on the node, and in no registry.
                "resolveTags": False,
                "ingressCidrs": [f"{self.cluster.node_ip}/32"],
                # Nobody who watches wants to wait for five minutes.
                "peopleSeconds": 20,
            },
        }

    def helm(self, *arguments: str, stdin: str = "") -> str:
        """Run helm against this cluster."""
        command = [str(self.cluster.bin / "helm"), "--kubeconfig", str(self.cluster.kubeconfig), *arguments]
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"helm {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def create_tenant(self, manifest: Body) -> None:
        """Apply a VREEnvironment of the demo realm, with all it needs."""
        tenant.create(self.kubectl, manifest, keycloak.REGISTRATION)


def _free(*ports: int) -> bool:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def quickstart() -> Body:
    """The example that the README shows."""
    manifest: Body = yaml.safe_load(QUICKSTART.read_text())
    return manifest


def variant(namespace: str, **spec: Any) -> Body:
    """The quickstart in another namespace, under another hostname, with other fields."""
    manifest = quickstart()
    manifest["metadata"] |= {"namespace": namespace, "name": namespace}
    domain = manifest["spec"]["hostname"].partition(".")[2]
    manifest["spec"] |= {"hostname": f"{namespace}.{domain}"} | spec
    return manifest
