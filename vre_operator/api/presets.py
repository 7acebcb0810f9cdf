"""Presets: sizes that a site has named, for tenants that name none.

The API server writes no default into these fields, so that it is seen what a tenant named. A part is the
tenant's or the preset's as a whole: the numbers in it belong together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from vre_operator.api.base import Label, Model, Quantity
from vre_operator.api.notebooks import Culling, MaxSessions, NotebookResources, Notebooks
from vre_operator.api.paths import at
from vre_operator.api.rules import quantity
from vre_operator.api.storage import Homes, HomeSize
from vre_operator.api.workflows import Jobs, MaxRunning, Workflows

Path = tuple[str, ...]


class Maximum(Model):
    """The most that a field of a tenant may ask for; no limit where absent."""

    cpu: Annotated[float, Field(ge=0.1, le=1024)] | None = None
    """CPUs of a session."""
    memory: Quantity | None = None
    """Memory of a session."""
    gpus: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Accelerators of a session."""
    sessions: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Sessions of a tenant at a time."""
    home: Quantity | None = None
    """Each person's home, where homes are volumes of their own."""
    volume: Quantity | None = None
    """Each volume of a tenant."""
    running_workflows: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Workflows of a tenant at a time."""
    job_memory: Quantity | None = None
    """Memory of a workflow's job."""


class PresetNotebooks(Model):
    """Of a tenant's spec.notebooks."""

    resources: NotebookResources | None = None
    """CPU and memory of one notebook."""
    culling: Culling | None = None
    """When idle notebooks are stopped."""
    max_sessions: MaxSessions | None = None
    """Notebooks that can run at the same time."""


class PresetHomes(Model):
    """Of a tenant's spec.storage.homes."""

    size: HomeSize | None = None
    """Size of a home that has a volume of its own."""


class PresetStorage(Model):
    """Of a tenant's spec.storage."""

    homes: PresetHomes = PresetHomes()
    """People's homes."""


class PresetWorkflows(Model):
    """Of a tenant's spec.workflows."""

    jobs: Jobs | None = None
    """What a step of a workflow may take."""
    max_running: MaxRunning | None = None
    """Workflows that run at once."""


class Preset(Model):
    """Sizes under a name, written as in a tenant's spec."""

    name: Label
    """What tenants write as spec.preset."""
    notebooks: PresetNotebooks = PresetNotebooks()
    """Sessions."""
    storage: PresetStorage = PresetStorage()
    """Homes."""
    workflows: PresetWorkflows = PresetWorkflows()
    """Workflows."""


PARTS: tuple[Path, ...] = (
    ("notebooks", "resources"),
    ("notebooks", "culling"),
    ("notebooks", "maxSessions"),
    ("storage", "homes", "size"),
    ("workflows", "jobs"),
    ("workflows", "maxRunning"),
)
"""Of a tenant's spec, what a preset says as a whole."""

# A tenant that names nothing must not get more by that than it may ask for: the field of Maximum, and the
# least that the field takes.
_MOST: Mapping[Path, tuple[str, Any]] = {
    ("notebooks", "resources", "cpuGuarantee"): ("cpu", 0),
    ("notebooks", "resources", "cpuLimit"): ("cpu", 0),
    ("notebooks", "resources", "memoryGuarantee"): ("memory", "128Mi"),
    ("notebooks", "resources", "memoryLimit"): ("memory", "128Mi"),
    ("notebooks", "maxSessions"): ("sessions", 1),
    ("storage", "homes", "size"): ("home", "64Mi"),
    ("workflows", "jobs", "memory"): ("job_memory", "64Mi"),
    ("workflows", "jobs", "maxMemory"): ("job_memory", "64Mi"),
    ("workflows", "maxRunning"): ("running_workflows", 0),
}
_PRODUCT: Mapping[str, Any] = {
    "notebooks": Notebooks().model_dump(mode="json", by_alias=True),
    "storage": {"homes": Homes().model_dump(mode="json", by_alias=True)},
    "workflows": Workflows().model_dump(mode="json", by_alias=True),
}


def given(preset: Preset | None, maximum: Maximum) -> Iterator[tuple[Path, Any]]:
    """What tenants that name nothing have otherwise than by the product's defaults, part by part."""
    chosen = preset.model_dump(mode="json", by_alias=True, exclude_none=True) if preset else {}
    for path in PARTS:
        own, said = at(_PRODUCT, *path), at(chosen, *path)
        value = _capped(path, own if said is None else said, maximum)
        if value != own:
            yield path, value


def _capped(path: Path, value: Any, maximum: Maximum) -> Any:
    if isinstance(value, Mapping):
        return {key: _capped((*path, key), below, maximum) for key, below in value.items()}
    name, least = _MOST.get(path, ("", None))
    most = getattr(maximum, name) if name else None
    return value if most is None else min(value, max(most, least, key=_size), key=_size)


def _size(value: Any) -> Any:
    return quantity(value) if isinstance(value, str) else value
