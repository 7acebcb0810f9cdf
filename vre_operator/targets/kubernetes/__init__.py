"""Kubernetes as a target of the engine."""

from vre_operator.targets.kubernetes.target import KubernetesTarget

__all__ = ["KubernetesTarget"]
