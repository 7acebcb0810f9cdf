"""Rucio, the data lake: its schema, its server, its root account."""

from vre_operator.components.rucio.component import COMPONENT, render

__all__ = ["COMPONENT", "render"]
