"""One third-party copy over WebDAV: the destination fetches from the source, and is then read back.

What storages really do was measured with XRootD 5.5 (contracts/rucio.md, last section): COPY answers 201 before
it knows, the result is the last line of the body; a copy that failed leaves an empty file; the header for the
source's token is found only in this spelling.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from vre_operator.failures import CONNECT_TIMEOUT, cause

# A storage that copies tells how far it is every few seconds.
SILENCE = 120.0
_REQUEST = aiohttp.ClientTimeout(total=60, sock_connect=CONNECT_TIMEOUT)
_CLEANING_SECONDS = 15
_REDIRECTS = 5
_WORDS = 300
_DEPTH = 40


class CopyError(Exception):
    """Why a copy was not made, in words for Rucio's users: no token is in it.

    elsewhere: another source may do.
    """

    def __init__(self, reason: str, *, elsewhere: bool = False) -> None:
        super().__init__(reason)
        self.elsewhere = elsewhere


@dataclass(frozen=True, slots=True)
class End:
    """A file at a storage. `token` is a secret."""

    url: str
    token: str = field(default="", repr=False)

    @property
    def address(self) -> URL:
        return URL(self.url.replace("davs://", "https://", 1), encoded=True)

    @property
    def host(self) -> str:
        return self.address.host or ""


@dataclass(frozen=True, slots=True)
class Wish:
    """size: in bytes. checksum: (algorithm, hex digits), as ("adler32", "5b0ce29c"). verify: source, target."""

    source: End
    destination: End
    size: int | None
    checksum: tuple[str, str] | None
    verify: frozenset[str]
    overwrite: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What a storage tells of a file."""

    size: int | None
    checksum: str | None


async def copy(session: aiohttp.ClientSession, wish: Wish, silence: float = SILENCE) -> None:
    """Make the copy, or raise CopyError and leave nothing at the destination.

    silence: seconds after which a storage that says nothing is given up. Cancelled, it cleans up as well.
    """
    there = await _look(session, wish.destination, wish)
    if there is not None and _is_it(there, wish, "target"):
        return
    source = await _look(session, wish.source, wish, source=True)
    if source is None:
        raise CopyError(f"Source file is not there: {wish.source.host} answers 404", elsewhere=True)
    if wrong := _wrong(source, wish, "source"):
        raise CopyError(f"Source {wrong}", elsewhere=True)
    if there is not None:
        if not wish.overwrite:
            raise CopyError("Destination file exists and overwrite is not enabled")
        await _remove(session, wish.destination)
    await _make_parents(session, wish.destination)
    try:
        await _transfer(session, wish, silence)
        made = await _look(session, wish.destination, wish)
        if made is None:
            raise CopyError(f"Destination {wish.destination.host} told success, and the file is not there")
        if wrong := _wrong(made, wish, "target"):
            raise CopyError(f"Destination {wrong}")
    except BaseException:
        with suppress(CopyError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(_CLEANING_SECONDS):
                await asyncio.shield(_remove(session, wish.destination))
        raise


def _is_it(found: Found, wish: Wish, end: str) -> bool:
    """Whether the file is proved to be the one that is wanted."""
    return found.checksum is not None and wish.checksum is not None and not _wrong(found, wish, end)


def _wrong(found: Found, wish: Wish, end: str) -> str:
    """What is wrong with a file, "" when nothing is."""
    if wish.size is not None and found.size is not None and found.size != wish.size:
        return f"has {found.size} bytes instead of {wish.size}"
    if end not in wish.verify or wish.checksum is None:
        return ""
    kind, value = wish.checksum
    if found.checksum is None:
        return (
            f"storage tells no {kind} checksum, so the file cannot be verified. Set the RSE attribute"
            " verify_checksum to false if it has none"
        )
    if _digits(found.checksum) != _digits(value):
        return f"has the {kind} checksum {found.checksum} instead of {value}"
    return ""


def _digits(checksum: str) -> str:
    return checksum.lower().lstrip("0")


async def _look(session: aiohttp.ClientSession, end: End, wish: Wish, *, source: bool = False) -> Found | None:
    kind = wish.checksum[0] if wish.checksum else ""
    headers = {"Want-Digest": kind} if kind else {}
    status, answer = await _ask(session, "HEAD", end, headers, source=source)
    if status == 404:
        return None
    if status != 200:
        raise CopyError(f"{_side(source)} {end.host} answers {status} to HEAD", elsewhere=source)
    length = answer.get("Content-Length", "")
    return Found(int(length) if length.isdigit() else None, _digest(answer.get("Digest", ""), kind))


def _digest(header: str, kind: str) -> str | None:
    for part in header.split(","):
        name, found, value = part.strip().partition("=")
        if not found or name.lower() != kind.lower():
            continue
        if kind.lower() == "md5" and len(value) == 24:  # RFC 3230: Base64, where others write hex digits
            with suppress(binascii.Error):
                return base64.b64decode(value, validate=True).hex()
        return value
    return None


async def _make_parents(session: aiohttp.ClientSession, end: End) -> None:
    """From the deepest up, as far as it has to be: the upper ones are mostly not ours to make."""
    missing: list[URL] = []
    directory = end.address.parent
    while directory.path != "/" and len(missing) < _DEPTH:
        status, _ = await _ask(session, "MKCOL", End(str(directory), end.token), {})
        if status not in (404, 409):  # made, there already, or not ours: the copy itself will tell
            break
        missing.append(directory)
        directory = directory.parent
    for directory in reversed(missing):
        status, _ = await _ask(session, "MKCOL", End(str(directory), end.token), {})
        if status not in (200, 201, 204, 405):
            raise CopyError(f"Destination {end.host} answers {status} to MKCOL {directory.path}")


async def _transfer(session: aiohttp.ClientSession, wish: Wish, silence: float) -> None:
    headers = {
        **_bearer(wish.destination.token),
        "Source": str(wish.source.address),
        "Credential": "none",
        "Overwrite": "T",
        "RequireChecksumVerification": "false",
    }
    if wish.source.token:
        headers["TransferHeaderAuthorization"] = f"Bearer {wish.source.token}"
    host, last = wish.destination.host, ""
    try:
        async with session.request(
            "COPY",
            wish.destination.address,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=silence),
            allow_redirects=True,
            max_redirects=_REDIRECTS,
        ) as answer:
            async for raw in answer.content:
                last = raw.decode(errors="replace").strip() or last
    except TimeoutError:
        raise CopyError(f"Destination {host} was silent for {silence:.0f} s while copying") from None
    except (aiohttp.ClientError, OSError) as error:
        raise CopyError(f"Destination {host} broke off the copy: {cause(error)}") from None
    if answer.status not in (200, 201, 202):
        raise CopyError(f"Destination {host} answers {answer.status} to COPY: {_clean(last, wish)}")
    if not last.lower().startswith("success"):
        words = _clean(last, wish)
        raise CopyError(f"Copy from {wish.source.host} to {host} failed: {words}", elsewhere=True)


async def _remove(session: aiohttp.ClientSession, end: End) -> None:
    status, _ = await _ask(session, "DELETE", end, {})
    if status not in (200, 202, 204, 404):
        raise CopyError(f"Destination {end.host} answers {status} to DELETE")


async def _ask(
    session: aiohttp.ClientSession, method: str, end: End, headers: dict[str, str], *, source: bool = False
) -> tuple[int, dict[str, str]]:
    try:
        async with session.request(
            method,
            end.address,
            headers={**_bearer(end.token), **headers},
            timeout=_REQUEST,
            allow_redirects=True,
            max_redirects=_REDIRECTS,
        ) as answer:
            return answer.status, dict(answer.headers)
    except TimeoutError:
        raise CopyError(f"{_side(source)} {end.host} does not answer {method}", elsewhere=source) from None
    except (aiohttp.ClientError, OSError) as error:
        raise CopyError(f"{_side(source)} {end.host}: {cause(error)}", elsewhere=source) from None


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _side(source: bool) -> str:
    return "Source" if source else "Destination"


def _clean(words: str, wish: Wish) -> str:
    for token in (wish.source.token, wish.destination.token):
        if token:
            words = words.replace(token, "***")
    return "".join(one for one in words if one.isprintable())[:_WORDS] or "no word about the cause"
