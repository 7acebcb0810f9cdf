"""The development cluster: a real Kubernetes on a machine without a container engine."""

from dev.cluster.cluster import Cluster

__all__ = ["Cluster"]
