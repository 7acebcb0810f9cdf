"""A tenant's wish with what its site gives where it names nothing. Everybody after this sees only that.

What people and data hang on is given once and stays (decision 0023): hostnames, the issuer, classes of volumes.
The rest follows the site. The site's credential goes with the site's issuer and with no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from vre_operator.api import presets
from vre_operator.api.exposure import IssuerKind
from vre_operator.api.identity import DEFAULT_SCOPES
from vre_operator.api.paths import at
from vre_operator.api.validate import Problem
from vre_operator.api.vresite import SiteIdentity, VRESiteSpec
from vre_operator.components.context import kube
from vre_operator.components.reana.settings import VOLUME
from vre_operator.engine.resources import ResourceId

Object = Mapping[str, Any]
_Path = tuple[str | int, ...]

_ISSUER = "spec.identity.issuer"
_CLAIM = "kubernetes:v1/PersistentVolumeClaim"
_LENT = "lent"


@dataclass(frozen=True, slots=True)
class Wish:
    """told: the object as its tenant wrote it; obj: with what the site gives, which is given, by field.

    kept: what of that stays from now on, as status.defaults has it. lent: the site's Secret that registers the
    tenant's clients. moved: why its people are at another provider than is asked for now, if they are.
    """

    told: Object
    obj: Object
    given: Mapping[str, Any] = field(default_factory=dict)
    kept: tuple[Mapping[str, str], ...] = ()
    lent: ResourceId | None = None
    moved: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def followed(self) -> list[Mapping[str, str]]:
        """What of what is given changes with the site, as status.given has it."""
        stays = {one["field"] for one in self.kept}
        told = sorted(name for name in self.given if name not in {_LENT, *stays})
        return [{"field": name, "value": _text(self.given[name])} for name in told]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def effective(site: VRESiteSpec | None, obj: Object, home: str) -> Wish:
    """home: the operator's namespace. Idempotent but for `lent`: what is given looks like the tenant's own."""
    held = {one["field"]: one["value"] for one in (obj.get("status") or {}).get("defaults") or ()}
    spec = obj.get("spec")
    if not isinstance(spec, Mapping) or (site is None and not held and spec.get("preset") is None):
        return Wish(obj, obj)
    giving = _Giving(site or VRESiteSpec(), obj, held)
    giving.names()
    giving.classes()
    giving.exposure()
    giving.sizes()
    lent = giving.identity(home)
    return Wish(
        told=obj,
        obj={**obj, "spec": giving.spec} if giving.given else obj,
        given=giving.given,
        kept=tuple({"field": name, "value": value} for name, value in sorted(giving.held.items())),
        lent=lent,
        moved=giving.moved,
        problems=tuple(giving.problems),
    )


class _Giving:
    """One wish on its way. held: status.defaults, by field; grows."""

    def __init__(self, site: VRESiteSpec, obj: Object, held: dict[str, str]) -> None:
        self._site = site
        self._defaults = site.defaults
        self._obj = obj
        self.spec: Object = obj["spec"]
        self.held = held
        self.given: dict[str, Any] = {}
        self.moved = ""
        self.problems: list[Problem] = []

    @property
    def _namespace(self) -> str:
        return str(self._obj["metadata"].get("namespace", ""))

    def names(self) -> None:
        """Only those without which there is nothing: a lake without a hostname is one for sessions alone."""
        domain = (self._defaults.domain or "").replace("{namespace}", self._namespace)
        self._once(("hostname",), domain)
        if at(self.spec, "workflows", "enabled") is True:
            self._once(("workflows", "hostname"), domain and f"reana.{domain}")

    def classes(self) -> None:
        classes, own, sessions = self._defaults.storage_classes, self._namespace, f"{self._namespace}-notebooks"
        homes = at(self.spec, "storage", "homes") or {}
        if "volume" in homes:
            self._volume(("storage", "homes", "volume"), classes.homes, f"{sessions}:homes")
        elif "claim" not in homes:
            self._put(("storage", "homes", "storageClass"), classes.homes)
        if at(self.spec, "database", "external") is None:
            self._volume(("database", "embedded"), classes.database, f"{own}:database")
        if at(self.spec, "workflows", "enabled") is True:
            claim = f"{own}-workflows:{VOLUME}"
            self._volume(("workflows", "volume"), classes.volumes, claim)
        for index, share in _items(self.spec, "storage", "shares"):
            if "volume" in share:
                claim = f"{sessions}:share-{share.get('name')}"
                self._volume(("storage", "shares", index, "volume"), classes.volumes, claim)
        for index, one in _items(self.spec, "dataLake", "storage"):
            claim = f"{own}:storage-{str(one.get('name')).lower()}"
            self._volume(("dataLake", "storage", index), classes.volumes, claim)

    def exposure(self) -> None:
        """A Gateway and what is an Ingress's exclude each other: whichever of them the tenant names."""
        wish = self._defaults.exposure
        tls = any(at(self.spec, "exposure", "tls", one) is not None for one in ("secret", "certManager"))
        if not tls and at(self.spec, "exposure", "ingressClass") is None and wish.gateway:
            gateway = wish.gateway.model_dump(mode="json", by_alias=True, exclude_none=True)
            self._put(("exposure", "gateway"), gateway)
        if at(self.spec, "exposure", "gateway") is not None:
            return
        self._put(("exposure", "ingressClass"), wish.ingress_class)
        if wish.tls.cert_manager and not tls:
            manager = {"issuer": wish.tls.cert_manager.issuer, "kind": IssuerKind.CLUSTER_ISSUER.value}
            self._put(("exposure", "tls", "certManager"), manager)

    def sizes(self) -> None:
        """Of one who names a preset that is not there, as of one who names none: the wish is refused anyway."""
        for path, value in presets.given(self._preset(), self._site.bounds.maximum):
            self._put(path, value)

    def _preset(self) -> presets.Preset | None:
        by_name = {one.name: one for one in self._site.presets}
        name = self.spec.get("preset") or self._defaults.preset
        if not isinstance(name, str):
            return None
        if name not in by_name:
            known = f"use one of {', '.join(by_name)}, or leave it out" if by_name else "leave it out"
            remedy = f"{known}; the site's admin can add it (spec.presets of the VRESite)"
            self.problems.append(Problem("spec.preset", f"{name} is no preset of this site", remedy))
        return by_name.get(name)

    def identity(self, home: str) -> ResourceId | None:
        """The Secret that the site lends."""
        wish, site, held = at(self.spec, "identity"), self._defaults.identity, self.held.get(_ISSUER)
        if not isinstance(wish, Mapping):
            return None
        if (own := wish.get("issuer")) is not None:
            if held not in (None, own):
                self.moved = (
                    f"{_ISSUER}: {own} is not {held}, where the people and login clients of this VREEnvironment"
                    f" are. Set it to {held}; for another one create a new VREEnvironment"
                )
            return None
        if held is not None and (site is None or site.issuer != held):
            self.moved = (
                f"{_ISSUER}: the site's provider was {held} and is {site.issuer if site else 'none'} now."
                f" People and login clients stay where they are: name {held} with a credential of your own, or"
                " ask the site's admin to set it back (spec.defaults.identity of the VRESite)"
            )
            return None
        # Never beside anything of the tenant's own: what is refused below must not have been sent before.
        if site is None or wish.get("provider") is not None or wish.get("credentialsSecret") is not None:
            return None
        self._once(("identity", "issuer"), site.issuer)
        self._put(("identity", "provider"), site.provider.value)
        self._scopes(site, wish)
        secret = site.credentials_secret
        lent = kube("v1/Secret", home, secret.name) if secret else None
        if lent:
            self.given[_LENT] = str(lent)
        return lent

    def _scopes(self, site: SiteIdentity, wish: Object) -> None:
        asked = wish.get("scopes")
        if not isinstance(asked, list) or set(map(str, asked)) == set(DEFAULT_SCOPES):
            self.spec = _with(self.spec, ("identity", "scopes"), list(site.scopes))
            self.given["spec.identity.scopes"] = list(site.scopes)
            return
        self.problems += [
            Problem(
                f"spec.identity.scopes[{index}]",
                f"{scope} is no scope of the site's registration",
                f"use one of {', '.join(site.scopes)}, or ask the site's admin for it"
                " (spec.defaults.identity.scopes of the VRESite)",
            )
            for index, scope in enumerate(asked)
            if scope not in site.scopes
        ]

    def _volume(self, path: _Path, site: str | None, claim: str) -> None:
        """Of a volume that was made without it the class is the cluster's default, and cannot change."""
        name = self._field((*path, "storageClass"))
        made = name not in self.held and site and self._made(claim)
        self._once((*path, "storageClass"), None if made else site)

    def _made(self, claim: str) -> bool:
        lines = (self._obj.get("status") or {}).get("inventory") or ()
        return any(line.endswith(f" {_CLAIM}:{claim}") for line in lines)

    def _once(self, path: _Path, value: str | None) -> None:
        """What was given first stays."""
        if at(self.spec, *path) is None:
            name = self._field(path)
            if first := self.held.get(name) or value:
                self.held[name] = first
                self._put(path, first)

    def _put(self, path: _Path, value: Any) -> None:
        if value is not None and at(self.spec, *path) is None:
            self.given[self._field(path)] = value
            self.spec = _with(self.spec, path, value)

    def _field(self, path: _Path) -> str:
        """Items of lists by their names, which stay when others come and go."""
        told = "spec"
        for depth, key in enumerate(path):
            if isinstance(key, int):
                told += f"[{at(self.spec, *path[: depth + 1], 'name')}]"
            else:
                told += f".{key}"
        return told


def _items(spec: Object, *path: str) -> list[tuple[int, Object]]:
    found = at(spec, *path)
    items = enumerate(found if isinstance(found, list) else ())
    return [(index, one) for index, one in items if isinstance(one, Mapping)]


def _with(node: Any, path: _Path, value: Any) -> Any:
    """A copy, where it differs: the cache holds the original."""
    if not path:
        return value
    key, *rest = path
    if isinstance(key, int):
        return [_with(one, tuple(rest), value) if index == key else one for index, one in enumerate(node)]
    below = node if isinstance(node, Mapping) else {}
    return {**below, key: _with(below.get(key), tuple(rest), value)}
