"""Registries of container images: what tags stand for, and which images are offered."""

from vre_operator.targets.registry.target import RegistryTarget

__all__ = ["RegistryTarget"]
