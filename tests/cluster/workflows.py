"""A namespace of workflows, and who creates Jobs there."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from kubernetes import client, config
from kubernetes.client import ApiException

from dev.cluster import Cluster

SPACE = "policy-workflows"
ENGINE = f"system:serviceaccount:{SPACE}:reana-runtime"


class ApiServer:
    """As an administrator by kubectl, and as whoever creates a Job."""

    def __init__(self, cluster: Cluster) -> None:
        self._command = [str(cluster.bin / "kubectl"), "--kubeconfig", str(cluster.kubeconfig)]
        self._kubeconfig = str(cluster.kubeconfig)

    def __call__(self, *arguments: str, stdin: Any = None) -> subprocess.CompletedProcess[str]:
        text = None if stdin is None else json.dumps(stdin)
        return subprocess.run(
            [*self._command, *arguments], input=text, capture_output=True, text=True, check=False
        )

    def refusal(self, made: Any, *, who: str = ENGINE, group: str = "", dry_run: bool = True) -> str:
        """Why the Job is not created; "" when it is."""
        connection = config.new_client_from_config(self._kubeconfig)  # type: ignore[no-untyped-call]
        connection.set_default_header("Impersonate-User", who)
        if group:
            connection.set_default_header("Impersonate-Group", group)
        options: Any = {"dry_run": "All"} if dry_run else {}
        try:
            client.BatchV1Api(connection).create_namespaced_job(
                SPACE, made, field_validation="Strict", **options
            )
        except ApiException as error:
            return str(json.loads(error.body or "{}")["message"])
        finally:
            connection.close()
        return ""
