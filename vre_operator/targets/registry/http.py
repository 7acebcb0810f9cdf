"""What a tag stands for, asked at an OCI registry. Its address is a tenant's text: guarded.

Sources: the distribution specification 1.1 (pulling manifests) and distribution's token specification. HEAD is
asked, not GET: Docker Hub counts a GET as a pull.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from vre_operator.api.conditions import Reason
from vre_operator.engine.errors import Forbidden, NotFound
from vre_operator.engine.resources import REGISTRY
from vre_operator.targets.guard import Goal, GuardedResolver, check_url, networks, trust
from vre_operator.targets.registry.credentials import Login
from vre_operator.targets.registry.reference import Reference
from vre_operator.targets.web import Answer, Unanswered, Web, content

GOAL = Goal("spec.catalogue", "registry", Reason.ADDRESS_REFUSED)
TIMEOUT = 10.0
"""Seconds: a first pass waits for it."""

_BODY_LIMIT = 4 << 20
_AGAIN = 300.0  # what is missing or refused is not asked for more often than this
_LIFE, _MARGIN = 60.0, 5.0  # of a token that does not tell its own
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'([a-z]+)="([^"\\\\]*)"')
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass(frozen=True, slots=True)
class _Reply:
    """What matters of an answer. raw: the body."""

    digest: str
    challenges: Sequence[str]
    raw: bytes = field(repr=False)


class _Way(Web):
    """To a registry, or to who makes tokens for it."""

    system = REGISTRY

    def __init__(self, url: str, ca_bundle: str, cidrs: tuple[str, ...], **options: Any) -> None:
        super().__init__(check_url(url, GOAL).netloc, **options)
        self._extra = networks(cidrs, GOAL)
        self._tls = trust(ca_bundle, GOAL)

    def connector(self) -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector(ssl=self._tls, resolver=GuardedResolver(self._extra, GOAL))

    async def read(self, response: aiohttp.ClientResponse) -> Answer:
        raw = await content(response, self.host, _BODY_LIMIT)
        headers = response.headers
        challenges = headers.getall("WWW-Authenticate", [])
        return Answer(response.status, _Reply(headers.get("Docker-Content-Digest", ""), challenges, raw))


class RegistryHttp:
    """One registry. Tokens are kept for as long as they live, one for each repository and login."""

    def __init__(
        self,
        host: str,
        ca_bundle: str,
        allowed_cidrs: tuple[str, ...],
        *,
        clock: Callable[[], float],
        timeout: float = TIMEOUT,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self.host = host
        self._clock = clock
        options: dict[str, Any] = {"clock": clock, "timeout": timeout, "may_write": may_write}
        self._connect: Callable[[str], _Way] = lambda url: _Way(url, ca_bundle, allowed_cidrs, **options)
        self._way = self._connect(f"https://{host}")
        self._realms: dict[str, _Way] = {}
        self._held: dict[tuple[str, Login | None], tuple[str, float]] = {}

    async def digest(self, reference: Reference, login: Login | None) -> str:
        """sha256:<64 hex digits>. Raises Invalid, NotFound, Forbidden, Throttled, Unanswered."""
        reply = await self._manifest("HEAD", reference, login)
        found = reply.digest
        if not found:
            raw = (await self._manifest("GET", reference, login)).raw
            if not _is_manifest(raw):
                raise Unanswered(f"{self.host} answers with something else than a manifest", sent=True)
            found = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if not _DIGEST.fullmatch(found):
            raise Unanswered(f"{self.host} tells no SHA-256 digest of {reference}", sent=True)
        return found

    async def _manifest(self, method: str, reference: Reference, login: Login | None) -> _Reply:
        url = f"https://{self.host}/v2/{reference.repository}/manifests/{reference.digest or reference.tag}"
        held, until = self._held.get((reference.repository, login), ("", 0.0))
        authorization = held if self._clock() < until else ""
        answer = await self._way.send(method, url, headers=_headers(authorization))
        if answer.status == 401:
            authorization = await self._authorize(reference, login, answer.data.challenges)
            if authorization:
                answer = await self._way.send(method, url, headers=_headers(authorization))
        self._check(answer.status, reference, login)
        reply: _Reply = answer.data
        return reply

    def _check(self, status: int, reference: Reference, login: Login | None) -> None:
        if status == 404:
            raise NotFound(
                f"{self.host} has no image {reference}",
                remedy="Correct the entry's image, or push it.",
                reason=Reason.IMAGE_NOT_FOUND,
                retry_after=_AGAIN,
            )
        if status in (401, 403):
            who = "by the login of the pull Secret" if login else "without a login"
            raise Forbidden(
                f"{self.host} does not let {reference} be read {who}, if there is one",
                remedy="Correct the entry's image, or name a Secret that may read it in"
                " spec.catalogue.pullSecrets.",
                reason=Reason.IMAGE_FORBIDDEN,
                retry_after=_AGAIN,
            )
        if status != 200:
            raise Unanswered(f"{self.host} answers {status} for {reference}", sent=True)

    async def _authorize(self, reference: Reference, login: Login | None, challenges: Sequence[str]) -> str:
        """The header for this repository, "" when the registry does not say how, or we are nobody."""
        for challenge in challenges:
            scheme, _, rest = challenge.partition(" ")
            if scheme.lower() == "bearer":
                token, life = await self._token(reference, login, dict(_PARAMETER.findall(rest)))
                until = self._clock() + life - _MARGIN
                self._held[reference.repository, login] = (f"Bearer {token}", until)
                return f"Bearer {token}"
            if scheme.lower() == "basic" and login:
                return _basic(login)
        return ""

    async def _token(
        self, reference: Reference, login: Login | None, told: Mapping[str, str]
    ) -> tuple[str, float]:
        """A token to pull, and the seconds that it lives. The scope is ours, whatever the registry asks for."""
        realm = told.get("realm", "")
        parts = check_url(realm, GOAL)
        way = self._realms.setdefault(parts.netloc, self._connect(realm))
        query = {"scope": f"repository:{reference.repository}:pull"}
        query |= {"service": told["service"]} if "service" in told else {}
        headers = {"Authorization": _basic(login)} if login else {}
        answer = await way.send("GET", realm, query=query, headers=headers)
        if answer.status != 200:
            self._check(403 if answer.status in (400, 401, 403) else answer.status, reference, login)
        try:
            data = json.loads(answer.data.raw)
            token, life = data.get("token") or data["access_token"], float(data.get("expires_in") or _LIFE)
        except (ValueError, KeyError, TypeError, AttributeError):
            token, life = "", 0.0
        # It goes into a header.
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise Unanswered(f"{parts.netloc} makes no token for {self.host}", sent=True)
        return token, life


def _headers(authorization: str) -> dict[str, str]:
    found = {"Accept": _ACCEPT, "Accept-Encoding": "identity"}
    return found | ({"Authorization": authorization} if authorization else {})


def _basic(login: Login) -> str:
    return aiohttp.encode_basic_auth(login.user, login.password, encoding="utf-8")


def _is_manifest(raw: bytes) -> bool:
    try:
        return "schemaVersion" in json.loads(raw)
    except (ValueError, TypeError):
        return False
