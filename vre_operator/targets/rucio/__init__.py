"""The Rucio target: RSEs, distances, accounts and options as declared state."""

from vre_operator.targets.rucio.target import RucioTarget

__all__ = ["RucioTarget"]
