"""An API server's refusal as one of the engine's errors, in words fit for a status.

The server quotes rejected values ("Invalid value: ..."), for a Secret the secret itself, so values are cut
out: what stays is the field, the rule, and for Secrets and ConfigMaps the field alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotReady,
    TargetError,
    Throttled,
    Unavailable,
)

_CONFIDENTIAL = ("v1/Secret", "v1/ConfigMap")
_QUOTED = re.compile(r"^((?:Invalid|Duplicate) value): .*?(?:: ([^:{}]*))?$", re.DOTALL)
_IMMUTABLE = re.compile(r"immutable|cannot change|may not change once set|updates to \w+ spec")
# To a server-side apply with an unknown field or a wrong type the server says 500, as if repeating could help.
_MISTYPED = ("failed to create typed patch object", "failed to convert new object")
_UNDECLARED = re.compile(r"\.([\w.\[\]=\"-]+): field not declared in schema")
# Who refuses; what follows are the rule's own words, which may quote the object.
_DENIED = re.compile(
    r"(?:ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request"
    r"|admission webhook \"[^\"]*\" denied the request)"
)
_ADMISSION = "An admission rule of this cluster says so"
# A Service that gets no address is told as an error of the server's own.
_FULL = re.compile(r"failed to allocate a serviceIP: [\w ]+")
_NO_ADDRESSES = "This cluster has no address left for Services: its admin can add a ServiceCIDR"
_LIMIT = 300


class AlreadyExists(Conflict):
    """A create met an object of that name."""


class Fenced(TargetError):
    """Held back here: somebody else may lead by now."""

    reason = Reason.UNAVAILABLE


class Gone(TargetError):
    """The resource version is too old to continue from: list again."""

    reason = "Gone"


def from_response(
    code: int,
    body: Mapping[str, Any],
    *,
    what: str,
    kind: str,
    namespace: str = "",
    retry_after: float | None = None,
) -> TargetError:
    """The error for an answer that is no success. `what` was asked, e.g. "apply Secret ns/name"."""
    reason, message = str(body.get("reason") or ""), str(body.get("message") or "")
    simple: dict[int, TargetError] = {
        401: Forbidden(f"{what}: the API server does not accept the operator's credential"),
        404: NotFound(f"{what}: not found{_missing_namespace(message)}"),
        409: AlreadyExists(f"{what}: it exists already")
        if reason == "AlreadyExists"
        else Conflict(f"{what}: it was changed in the meantime", retry_after=retry_after),
        410: Gone(f"{what}: the resource version is too old"),
        429: Throttled(f"{what}: the API server asks to slow down", retry_after=retry_after),
    }
    if code in simple:
        return simple[code]
    if code == 403 or _DENIED.search(message):
        return _forbidden(what, kind, message, namespace)
    if code < 500:
        fields = {cause.get("field") for cause in (body.get("details") or {}).get("causes") or ()}
        if "metadata.uid" in fields:
            return Conflict(f"{what}: another object has its name by now")
        detail = _details(kind, body)
        immutable = _IMMUTABLE.search(message)
        return Invalid(f"{what}: {detail}", reason=Reason.IMMUTABLE_FIELD if immutable else Reason.REJECTED)
    return _failed(what, code, message, retry_after)


def _failed(what: str, code: int, message: str, retry_after: float | None) -> TargetError:
    """The server's own errors, and what it only calls that."""
    if message.startswith(_MISTYPED):
        undeclared = _UNDECLARED.search(message)
        return Invalid(f"{what}: {undeclared[1] + ': no such field' if undeclared else 'a wrong type'}")
    full = _FULL.search(message)
    cause = full[0] if full else f"the API server answered {code}"
    return Unavailable(f"{what}: {cause}", remedy=_NO_ADDRESSES if full else "", retry_after=retry_after)


def _missing_namespace(message: str) -> str:
    found = re.search(r'namespaces "([^"]+)" not found', message)
    return f" (namespace {found[1]} does not exist)" if found else ""


def _forbidden(what: str, kind: str, message: str, namespace: str) -> TargetError:
    if denied := _DENIED.search(message):
        words = denied[0] if kind in _CONFIDENTIAL else message[denied.start() :]
        return Invalid(f"{what}: {_shorten(words)}", remedy=_ADMISSION)
    if "exceeded quota" in message:
        # Not terminal although a person has to act: quotas change without any change of the VREEnvironment.
        return Forbidden(
            f"{what}: {message[message.index('exceeded quota') :][:_LIMIT]}",
            reason=Reason.QUOTA_EXCEEDED,
            remedy=f"Raise the quota or ask for less: kubectl -n {namespace} describe resourcequota",
        )
    if "being terminated" in message:
        return NotReady(f"{what}: namespace {namespace} is being deleted")
    if "violates PodSecurity" in message:
        return Invalid(f"{what}: {_shorten(message)}", remedy=_ADMISSION)
    return Forbidden(
        f"the operator may not {what}",
        remedy="Its ClusterRole, or its Role there, lacks this right: compare it with the chart's",
    )


def _details(kind: str, body: Mapping[str, Any]) -> str:
    details = body.get("details") or {}
    causes = details.get("causes") or ()
    if kind in _CONFIDENTIAL:
        fields = ", ".join(str(cause.get("field", "?")) for cause in causes)
        return f"the API server refuses {fields or 'its content'}"
    if causes:
        return _shorten(
            "; ".join(f"{c.get('field', '?')}: {_without_value(c.get('message', ''))}" for c in causes)
        )
    return _shorten(_without_value(str(body.get("message") or body.get("reason") or "refused")))


def _without_value(message: str) -> str:
    quoted = _QUOTED.match(message)
    return f"{quoted[1]}: {quoted[2]}" if quoted and quoted[2] else quoted[1] if quoted else message


def _shorten(text: str) -> str:
    return text if len(text) <= _LIMIT else f"{text[:_LIMIT]}..."
