"""References to objects in the tenant's namespace: a name and never a namespace, which is the boundary."""

from __future__ import annotations

from vre_operator.api.base import Model, ObjectName


class SecretName(Model):
    """A Secret in the tenant's namespace."""

    name: ObjectName
    """Name of the Secret, in the namespace of this object."""
