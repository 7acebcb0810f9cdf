"""What the operator tells about itself: metrics, and whom the code that runs just now works for.

Below all other packages, so that each can count what it does. Nothing here leads to a tenant's secrets, and no
label takes values that a tenant chooses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

PASSES = Histogram(
    "vre_reconcile_duration_seconds",
    "Duration of a pass over a tenant",
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
    registry=REGISTRY,
)
APPLIES = Histogram(
    "vre_apply_duration_seconds",
    "Duration of one apply, by component and by what came of it: created, updated, or the reason of a failure",
    ("component", "outcome"),
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60),
    registry=REGISTRY,
)
PRUNED = Counter("vre_pruned", "Resources removed because nobody wants them any more", registry=REGISTRY)
PROVIDER_CALLS = Counter(
    "vre_provider_requests",
    "Requests to other systems (oidc, rucio, fts), by method and by status code, Unanswered or Throttled",
    ("system", "method", "outcome"),
    registry=REGISTRY,
)
API_CALLS = Counter(
    "vre_kubernetes_requests",
    "Requests to the API server, by verb and by status code or NoAnswer",
    ("verb", "outcome"),
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge("vre_queue_depth", "Tenants that are due", registry=REGISTRY)
QUEUE_AGE = Gauge("vre_queue_oldest_seconds", "Age of the tenant that has been due longest", registry=REGISTRY)
TENANTS = Gauge("vre_tenants", "VREEnvironments that the operator knows", registry=REGISTRY)
CONDITIONS = Gauge(
    "vre_tenant_conditions", "Tenants by condition and its status", ("type", "status"), registry=REGISTRY
)
CREDENTIALS = Gauge(
    "vre_credentials_expire_timestamp_seconds",
    "When the first one of a kind ends of all tenants' credentials, in seconds since 1970",
    ("credential",),
    registry=REGISTRY,
)
LEADING = Gauge("vre_leading", "1 while this process is the one that writes", registry=REGISTRY)
WATCH_AGE = Gauge(
    "vre_watch_silence_seconds", "Time since the API server last spoke, by kind", ("kind",), registry=REGISTRY
)
EVENTS_LOST = Counter("vre_events_lost", "Kubernetes events that could not be posted", registry=REGISTRY)

# Looking up a metric's labels costs more than counting.
api_call = lru_cache(maxsize=256)(API_CALLS.labels)

tenant: ContextVar[str] = ContextVar("tenant", default="")
component: ContextVar[str] = ContextVar("component", default="")


@contextmanager
def working_for(name: str) -> Iterator[None]:
    """Log lines of the block, and of the tasks that it starts, carry the tenant's `namespace/name`."""
    token = tenant.set(name)
    try:
        yield
    finally:
        tenant.reset(token)
