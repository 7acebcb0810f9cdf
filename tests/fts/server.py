"""A stand-in for an FTS server and for a VOMS server: none can be had here as a package (docs/data-lake.md).

It answers and refuses as fts-rest-flask 3.13 does (controllers/delegation.py), over TLS that takes proxies, and
looks at what it is given with the same eyes.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.fts.authority import Authority

_PEM = serialization.Encoding.PEM


@dataclass
class Fts:
    """held: the proxies that were delegated, by subject. asked: method and path of each request.
    jobs: of whom, and what.

    faults: what the next requests to a path meet: a status, or "lost" when it is done and nothing is answered.
    """

    port: int = 0
    held: dict[str, list[x509.Certificate]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    jobs: list[tuple[str, Any]] = field(default_factory=list)
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    attributes: bytes = b""
    refuses: str = ""
    _keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @asynccontextmanager
    async def serve(self, authority: Authority, directory: Path) -> AsyncIterator[Fts]:
        certificate, key = authority.host("localhost")
        (directory / "host.pem").write_text(certificate + key)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(directory / "host.pem")
        tls.load_verify_locations(cadata=authority.pem)
        tls.verify_mode = ssl.CERT_OPTIONAL
        tls.verify_flags |= ssl.VERIFY_ALLOW_PROXY_CERTS
        application = web.Application(middlewares=[self._meet])
        application.add_routes(
            [
                web.get("/", self._hello),
                web.get("/whoami", self._whoami),
                web.get("/delegation/{id}", self._view),
                web.get("/delegation/{id}/request", self._request),
                web.put("/delegation/{id}/credential", self._credential),
                web.get("/generate-ac", self._voms),
                web.post("/jobs", self._submit),
            ]
        )
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=tls)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        try:
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _meet(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        faults = self.faults.get(f"{request.method} {request.path.rpartition('/')[2]}")
        fault = faults.pop(0) if faults else None
        if isinstance(fault, int):
            return web.Response(status=fault)
        answer: web.StreamResponse = await handler(request)
        if fault == "lost" and request.transport:
            request.transport.abort()
        return answer

    def _subject(self, request: web.Request) -> str:
        """Of the certificate at the end of the chain of proxies."""
        der = request.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)  # type: ignore[union-attr]
        if der is None:
            raise web.HTTPUnauthorized(text="A valid X509 certificate or proxy is needed")
        parts = [(part.oid, str(part.value)) for part in x509.load_der_x509_certificate(der).subject]
        while parts[-1][0] == NameOID.COMMON_NAME and parts[-1][1].isdigit():
            parts.pop()
        name = "/".join(value for _, value in parts)
        if self.refuses:
            raise web.HTTPForbidden(text=self.refuses)
        return name

    @staticmethod
    def _id(subject: str) -> str:
        return hashlib.sha1(subject.encode(), usedforsecurity=False).hexdigest()[:16]

    async def _hello(self, request: web.Request) -> web.Response:
        self._subject(request)
        return web.json_response({"api": {"major": 3}})

    async def _whoami(self, request: web.Request) -> web.Response:
        subject = self._subject(request)
        return web.json_response(
            {"user_dn": subject, "delegation_id": self._id(subject), "method": "certificate"}
        )

    def _mine(self, request: web.Request) -> str:
        subject = self._subject(request)
        if self._id(subject) != request.match_info["id"]:
            raise web.HTTPForbidden(text="The requested ID and the credentials ID do not match")
        return subject

    async def _view(self, request: web.Request) -> web.Response:
        held = self.held.get(self._mine(request))
        if held is None:
            return web.json_response(None)
        ends = min(one.not_valid_after_utc for one in held).replace(tzinfo=None)
        return web.json_response({"termination_time": ends.isoformat(), "voms_attrs": []})

    async def _request(self, request: web.Request) -> web.Response:
        subject = self._mine(request)
        key = self._keys.setdefault(subject, rsa.generate_private_key(65537, 2048))
        return web.Response(text=asking(key).decode(), content_type="text/plain")

    async def _credential(self, request: web.Request) -> web.Response:
        subject = self._mine(request)
        chain = x509.load_pem_x509_certificates(await request.read())
        if len(chain) < 2:
            raise web.HTTPBadRequest(text="Malformed proxy")
        proxy, issuer = chain[0], chain[1]
        if proxy.public_key() != self._keys[subject].public_key():
            raise web.HTTPBadRequest(text="The proxy does not match the stored associated private key")
        if list(proxy.subject)[:-1] != list(issuer.subject):
            raise web.HTTPBadRequest(text="The subject and the issuer of the proxy do not match")
        signer = issuer.public_key()
        assert isinstance(signer, rsa.RSAPublicKey)
        signer.verify(proxy.signature, proxy.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA256())
        self.held[subject] = chain
        return web.Response(status=201)

    async def _submit(self, request: web.Request) -> web.Response:
        self.jobs.append((self._subject(request), await request.json()))
        return web.json_response({"job_id": str(uuid.uuid4())})

    async def _voms(self, request: web.Request) -> web.Response:
        self._subject(request)
        if not self.attributes:
            text = "<voms><error><code>NoSuchUser</code><message>no such user</message></error></voms>"
            return web.Response(text=text, status=403, content_type="text/xml")
        packed = base64.encodebytes(self.attributes).decode()
        return web.Response(
            text=f"<?xml version='1.0'?><voms><ac>{packed}</ac></voms>", content_type="text/xml"
        )


def asking(key: rsa.RSAPrivateKey) -> bytes:
    """A service's request for a signature, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Dummy")])
    return x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256()).public_bytes(_PEM)
