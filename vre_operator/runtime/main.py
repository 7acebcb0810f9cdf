"""`vre-operator`: the process in the pod."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys

from vre_operator.kube.client import Kube
from vre_operator.kube.lease import LeaseLost
from vre_operator.runtime import logs
from vre_operator.runtime.operator import Operator
from vre_operator.runtime.settings import Settings, SettingsError

log = logging.getLogger("vre_operator")


def main() -> None:
    """Run until a signal. Exit code 1: a part failed, start the process again; 2: wrong settings."""
    if "--help" in sys.argv[1:]:
        print("vre-operator: reconciles VREEnvironments. Settings: POD_NAMESPACE, POD_NAME, VRE_SITE_FILE,")
        print("VRE_HEALTH_PORT, VRE_METRICS_PORT, VRE_WORKERS, VRE_LEADER_ELECTION, VRE_LOG_LEVEL,")
        print(
            "VRE_WATCH_SILENCE_SECONDS, VRE_PROVIDER_TIMEOUT_SECONDS, VRE_LEASE_SECONDS, VRE_WATCH_NAMESPACES,"
        )
        print("VRE_CLUSTER_ID, KUBECONFIG.")
        return
    logs.configure(os.environ.get("VRE_LOG_LEVEL", "info"))
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        log.error("%s", error)
        sys.exit(2)
    # Answers of the API server are thousands of small containers and hardly ever a cycle: the collector's usual
    # pace costs a fifth of the CPU.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        asyncio.run(_run(settings))
    except LeaseLost as lost:
        log.warning("ended: %s", lost)
        sys.exit(1)
    except Exception:
        log.exception("ended")
        sys.exit(1)


async def _run(settings: Settings) -> None:
    async with Kube.from_environment() as kube, Kube.from_environment() as aside:
        await Operator(settings, kube, aside, await cluster_id(settings, kube)).run()


async def cluster_id(settings: Settings, kube: Kube) -> str:
    """What login clients and databases are named after, so that two clusters can share a provider. Of a cluster
    it is the uid of kube-system; who may not read that has the operator's own namespace, where the memory of
    these clients is, too."""
    if settings.cluster_id:
        return settings.cluster_id
    known = settings.namespace if settings.scope.limited else "kube-system"
    return str((await kube.get("v1/Namespace", "", known))["metadata"]["uid"])


if __name__ == "__main__":
    main()
