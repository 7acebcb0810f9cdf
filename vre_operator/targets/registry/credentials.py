"""Who one is to a registry, by pull Secrets as `kubectl create secret docker-registry` makes them.

Source: kubernetes.io/docs/concepts/containers/images, "Interpretation of config.json".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Invalid
from vre_operator.targets.registry.reference import DOCKER_HUB, Reference

_REMEDY = "Make it with kubectl create secret docker-registry."


@dataclass(frozen=True, slots=True)
class Login:
    """Both are kept out of sight: a user's name may be a token's."""

    user: str = field(repr=False)
    password: str = field(repr=False)


def login(configs: Iterable[str], reference: Reference) -> Login | None:
    """The first whose most exact entry is for this image. configs: texts of .dockerconfigjson, "" for none.

    Raises Invalid for what is no such text.
    """
    for text in filter(None, configs):
        found = [(path, entry) for path, entry in _entries(text) if _covers(path, reference)]
        if found:
            return _login(max(found, key=lambda one: len(one[0]))[1])
    return None


def _entries(text: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    try:
        auths = json.loads(text)["auths"]
        return [(_place(key), dict(entry)) for key, entry in auths.items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _broken("holds no .dockerconfigjson") from None


def _place(key: str) -> str:
    """host[:port][/path], of whatever form the key has."""
    place = key.partition("://")[2] or key
    host, _, path = place.rstrip("/").partition("/")
    if host in (f"index.{DOCKER_HUB}", f"registry-1.{DOCKER_HUB}"):
        host = DOCKER_HUB
    if path in ("v1", "v2"):
        path = ""
    return f"{host}/{path}" if path else host


def _covers(place: str, reference: Reference) -> bool:
    image = f"{reference.registry}/{reference.repository}"
    return image == place or image.startswith(f"{place}/")


def _login(entry: Mapping[str, Any]) -> Login | None:
    if entry.get("identitytoken") or entry.get("registrytoken"):
        raise _broken("holds a token of a login in a browser, which the operator cannot use")
    user, password = entry.get("username"), entry.get("password")
    if not user and (auth := entry.get("auth")):
        try:
            user, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
        except (ValueError, TypeError):
            raise _broken("holds an entry that is not Base64 of user:password") from None
    if not user:
        return None
    # Each is sent in a header, and a colon is between them.
    if not all(isinstance(one, str) and one.isprintable() for one in (user, password)) or ":" in user:
        raise _broken("holds an entry without user and password")
    return Login(str(user), str(password))


def _broken(what: str) -> Invalid:
    return Invalid(f"A pull Secret {what}", remedy=_REMEDY, reason=Reason.IMAGE_FORBIDDEN)
