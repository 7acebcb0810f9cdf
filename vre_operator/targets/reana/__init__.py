"""A tenant's REANA as a target: whom it knows, and what each may use."""

from vre_operator.targets.reana.target import ReanaTarget

__all__ = ["ReanaTarget"]
