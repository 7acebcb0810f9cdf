"""Kubernetes Events: few, and a repeated one is counted, not posted again.

An event is news, not state: one that cannot be posted is dropped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from vre_operator import telemetry
from vre_operator.api import names
from vre_operator.engine.errors import TargetError
from vre_operator.engine.refs import digest
from vre_operator.kube.client import Kube

log = logging.getLogger(__name__)

QUIET_SECONDS = 600.0
_REMEMBERED = 10_000
_LIMIT = 1024


class Events:
    """Posts about VREEnvironments. The same word about the same object is posted once in QUIET_SECONDS."""

    def __init__(self, kube: Kube, instance: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._instance = instance
        self._clock = clock
        self._posted: dict[str, float] = {}

    async def post(self, obj: Mapping[str, Any], *, warning: bool, reason: str, message: str) -> None:
        metadata = obj["metadata"]
        key = digest([metadata["uid"], reason, message])
        now = self._clock()
        if now - self._posted.get(key, float("-inf")) < QUIET_SECONDS:
            return
        if len(self._posted) >= _REMEMBERED:
            self._posted.clear()
        self._posted[key] = now
        stamp = datetime.now(UTC)
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "namespace": metadata["namespace"],
                "name": f"{metadata['name']}.{stamp.timestamp():.6f}",
            },
            "involvedObject": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:_LIMIT],
            "source": {"component": names.FIELD_MANAGER},
            "reportingComponent": names.FIELD_MANAGER,
            "reportingInstance": self._instance,
            "firstTimestamp": stamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lastTimestamp": stamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "count": 1,
        }
        try:
            await self._kube.create(event)
        except TargetError as error:
            telemetry.EVENTS_LOST.inc()
            log.info("event not posted: %s", error)
