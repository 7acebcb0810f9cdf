"""What runs in REANA's images, as functions."""

from __future__ import annotations

from typing import Any

from vre_operator.components.reana.pods import FILES


def program(name: str) -> dict[str, Any]:
    """What is in one of the programs, which run in REANA's images."""
    scope: dict[str, Any] = {"__name__": name}
    exec(compile(FILES[name], name, "exec"), scope)  # noqa: S102
    return scope
