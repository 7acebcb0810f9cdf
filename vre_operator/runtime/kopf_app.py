"""The only file that knows kopf: the signals, an orderly end, and a second ear for news of VREEnvironments.

One low-level event handler; no change handlers (edge-triggered: kopf issue 641 loses updates), timers,
daemons, indexes or peering. kopf's watch tells nothing of an object without finalizers that vanished while it
was cut off, so what stands is known by our own reflector; see docs/decisions/0008.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

import kopf

from vre_operator.api import names

OnEvent = Callable[[Mapping[str, Any], bool], None]


class _Nothing(kopf.DiffBaseStorage, kopf.ProgressStorage):
    """We have no change handlers, so there is nothing to remember on objects, and no diff to make of them."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return

    def purge(self, **_: Any) -> None:
        return

    def touch(self, **_: Any) -> None:
        return

    def clear(self, *, essence: Any) -> Any:
        return essence


def build(on_event: OnEvent, silence: float) -> kopf.OperatorRegistry:
    """on_event: called with the object and whether it is gone. silence: seconds, see Settings."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.peering.standalone = True
        settings.scanning.disabled = True
        settings.watching.chunk_size = 500
        settings.watching.reconnect_backoff = 1.0
        settings.watching.inactivity_timeout = silence
        settings.networking.request_timeout = 30
        settings.networking.connect_timeout = 5
        settings.networking.enforce_retry_after = True
        settings.queueing.exit_timeout = 5
        settings.execution.max_workers = 4
        # Not ours: kopf takes its finalizer off whatever has no deletion handler.
        settings.persistence.finalizer = f"{names.GROUP}/never-set"
        settings.persistence.diffbase_storage = settings.persistence.progress_storage = _Nothing()

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def changed(event: Mapping[str, Any], **_: Any) -> None:
        on_event(event["object"], event["type"] == "DELETED")

    return registry


async def run(
    registry: kopf.OperatorRegistry, stop: asyncio.Event, identity: str, namespaces: Collection[str]
) -> None:
    """Until `stop` is set or a signal arrives. Raises when the watch dies for good. namespaces: where to
    listen; everywhere when empty."""
    # Left to itself kopf asks the system for the user's name, which a container's uid has not.
    name: Any = identity
    await kopf.operator(
        registry=registry,
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        identity=name,
        stop_flag=stop,
    )
