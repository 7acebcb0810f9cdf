"""An FTS that somebody else runs: whether it answers, and the x509 proxy by which it acts for a tenant."""

from vre_operator.targets.fts.target import FtsTarget

__all__ = ["FtsTarget"]
