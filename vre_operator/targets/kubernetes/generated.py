"""Values of Secrets that are made here, and known to the cluster alone."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping

from vre_operator.engine.resources import FORMER, Generator, Resource
from vre_operator.kube.transport import Object

_BYTES = {Generator.HEX32: 16, Generator.HEX48: 24, Generator.HEX64: 32}


def with_generated(
    wanted: Object, resource: Resource, existing: Mapping[str, str], *, anew: bool = False
) -> Object:
    """`wanted` with a value for each generated key: the one in `existing` (base64, by key), else, or when they
    are made anew, a new one. The former value is kept in the same write: what it opened can still be opened,
    whenever the process dies."""
    if not resource.generate:
        return wanted
    values = {key: existing[key] for key in resource.generate if existing.get(key)}
    made = {
        key: base64.b64encode(secrets.token_hex(_BYTES[how]).encode()).decode()
        for key, how in resource.generate.items()
        if how is not Generator.FORMER and (anew or key not in values)
    }
    for key, how in resource.generate.items():
        of = key.removeprefix(FORMER)
        if how is Generator.FORMER and (anew or key not in values):
            made[key] = values.get(of) or made[of]
    return {**wanted, "data": {**wanted.get("data", {}), **values, **made}}
