"""Two XRootD servers as the operator's pods run them, behind a front door, and an issuer of tokens.

All in namespaces of their own, because XRootD listens on every address: `running` starts this file inside them.
The files are the rendered ones, and the image is the development image.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dev.images import build
from dev.oidc.tls import write_certificates
from tests.images.container import config

PORT = 8446
SERVICE_SOCKET = "service.sock"
HOSTS = ("a.grid.example.org", "b.grid.example.org")
ISSUER = "https://sso.grid.example.org/realms/grid"
NAMES = ("GRID-A", "GRID-B")
_NOBODY = 65534
_UNSHARE = (
    *("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"),
    "--propagation=private",
)
_START_SECONDS = 60
_ALIVE = "/static/css/xrdhttp.css"  # what the kubelet asks for
_HUNG_SECONDS = 20


@dataclass(slots=True)
class Grid:
    """Seen from outside: folders are on disk, the service is reached through a socket."""

    folder: Path
    pid: int
    key: rsa.RSAPrivateKey = field(repr=False)

    def path(self, storage: int, name: str) -> str:
        return f"/grid/{NAMES[storage].lower()}/{name}"

    def url(self, storage: int, name: str) -> str:
        return f"davs://{HOSTS[storage]}:443{self.path(storage, name)}"

    def file(self, storage: int, name: str) -> Path:
        """Where the server keeps it."""
        return self.folder / str(storage) / "data" / self.path(storage, name).lstrip("/")

    def put(self, storage: int, name: str, content: bytes) -> None:
        """As if it had been uploaded long ago."""
        target = self.file(storage, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        _give_away(self.folder / str(storage) / "data")

    def token(self, storage: int, *rights: str, **claims: Any) -> str:
        """With the scopes storage.<right> of all that a storage has."""
        path = f"/grid/{NAMES[storage].lower()}/"
        scope = " ".join(f"storage.{right}:{path}" for right in rights or ("read", "modify"))
        now = int(time.time())
        body: dict[str, Any] = {
            "iss": ISSUER,
            "aud": HOSTS[storage],
            "sub": "rucio",
            "scope": scope,
            "wlcg.ver": "1.0",
        }
        body |= {"iat": now, "nbf": 1, "exp": now + 3600, "jti": str(time.monotonic_ns())}
        head = {"alg": "RS256", "typ": "JWT", "kid": "one"}
        signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(body | claims).encode())}"
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    def inside(self, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program among them."""
        enter = ("nsenter", f"--target={self.pid}", "--net", "--mount")
        return subprocess.Popen([*enter, *command], start_new_session=True, **options)

    def signal(self, storage: int, number: signal.Signals) -> None:
        """To one server."""
        mark = f"grid-{storage}".encode()
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with suppress(OSError):
                    words = (process / "cmdline").read_bytes().split(b"\0")
                    if words[0].endswith(b"xrootd") and mark in words and self._ours(process):
                        os.kill(int(process.name), number)

    def _ours(self, process: Path) -> bool:
        mine = Path(f"/proc/{self.pid}/ns/net").readlink()
        return (process / "ns/net").readlink() == mine


def adler32(content: bytes) -> str:
    return f"{zlib.adler32(content):08x}"


@contextmanager
def running(folder: Path, settings: Sequence[dict[str, str]]) -> Iterator[Grid]:
    """settings: the files of each storage's ConfigMap, and prepare.py."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write(folder, key, settings)
    root = _root(build(["xrootd"])["xrootd"])
    log = (folder / "grid.log").open("wb")
    python = [sys.executable, "-m", "tests.transfers.grid", str(folder), str(root)]
    process = subprocess.Popen([*_UNSHARE, *python], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        ready = folder / "ready"
        deadline = time.monotonic() + _START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no grid: {(folder / 'grid.log').read_text()[-3000:]}")
            time.sleep(0.1)
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Grid(folder, int(child), key)
    finally:
        process.kill()
        process.wait()
        log.close()


def _write(folder: Path, key: rsa.RSAPrivateKey, settings: Sequence[dict[str, str]]) -> None:
    ca = write_certificates(folder, (*HOSTS, "sso.grid.example.org"), "grid test CA")
    (folder / "ca.crt").write_text(ca)
    numbers = key.public_key().public_numbers()
    one = {"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig"}
    one |= {name: _base64(_big_endian(value)) for name, value in (("n", numbers.n), ("e", numbers.e))}
    realm = folder / "sso/realms/grid"
    (realm / ".well-known").mkdir(parents=True)
    (realm / "keys").write_text(json.dumps({"keys": [one]}))
    document = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
    (realm / ".well-known/openid-configuration").write_text(json.dumps(document))
    for index, files in enumerate(settings):
        here = folder / str(index)
        for name in ("data", "run", "settings", "tmp"):
            (here / name).mkdir(parents=True)
        for name, text in files.items():
            (here / "settings" / name).write_text(text)
        for name in ("data", "run", "tmp"):
            _give_away(here / name)
    folder.chmod(0o755)


def _root(archive: Path) -> Path:
    """The image's file system, unpacked once for each of its contents."""
    root = archive.with_suffix(".root")
    if not root.exists():
        for old in archive.parent.glob("xrootd-*.root"):
            shutil.rmtree(old)
        scratch = archive.with_suffix(f".{os.getpid()}")
        with tarfile.open(archive) as opened:
            for layer in config(archive)["layers"]:
                content = opened.extractfile(layer)
                with tarfile.open(fileobj=content) as inner:
                    inner.extractall(scratch, numeric_owner=True, filter="fully_trusted")  # noqa: S202
        with suppress(OSError):
            scratch.rename(root)
    return root


def _give_away(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _NOBODY, _NOBODY)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _big_endian(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


# --- inside -------------------------------------------------------------------------------------------------

_NGINX = """
daemon off; user root; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off; client_max_body_size 0; default_type application/json;
  ssl_certificate {folder}/tls.crt; ssl_certificate_key {folder}/tls.key;
  proxy_http_version 1.1; proxy_read_timeout 3600;
  proxy_set_header Host $host; proxy_buffering off; proxy_request_buffering off;
  server {{ listen 127.0.0.1:443 ssl; server_name sso.grid.example.org; root {folder}/sso; }}
  {servers}
}}
"""
_SERVER = """
  server {{
    listen 127.0.0.1:443 ssl; server_name {host}; location / {{ proxy_pass http://127.0.0.1:{port}; }}
  }}
"""
# The pod's view: its image, its volumes, its user.
_POD = """
set -e
mount --bind "$ROOT" "$ROOT"; cd "$ROOT"
mkdir -p data run/vre etc/vre/xrootd etc/vre/rucio etc/vre/ca tmp
mount --bind "$HERE/data" data; mount --bind "$HERE/run" run/vre; mount --bind "$HERE/tmp" tmp
mount --bind "$HERE/settings" etc/vre/xrootd; mount --bind "$HERE/settings" etc/vre/rucio
touch etc/vre/ca/ca.crt; mount --bind "$CA" etc/vre/ca/ca.crt
touch etc/hosts; mount --bind /etc/hosts etc/hosts
mount -t proc proc proc; mount --rbind /dev dev
as="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all"
chroot . $as env HOME=/run/vre python3 /etc/vre/rucio/prepare.py /run/vre --certificate
mount --bind "$HERE/run/ca.pem" etc/ssl/certs/ca-certificates.crt
sed "s/http:8000/http:$PORT/; s/^xrd.port .*/xrd.port 1$PORT/" etc/vre/xrootd/xrootd.cfg >tmp/xrootd.cfg
exec chroot . $as env HOME=/tmp xrootd -c /tmp/xrootd.cfg -n "grid-$INDEX"
"""


def _inside(folder: Path, root: Path) -> None:
    addresses = f"127.0.0.1 localhost {' '.join(HOSTS)} sso.grid.example.org\n192.0.2.1 grid\n"
    (folder / "hosts").write_text(addresses)
    # XRootD wants an address that is no loopback's; nothing is ever sent there.
    _sh(
        f"hostname grid; mount --bind {folder}/hosts /etc/hosts; ip link set lo up;"
        " ip link add here type veth peer name there; ip addr add 192.0.2.1/32 dev here;"
        " ip link set here up; ip link set there up"
    )
    servers = [_SERVER.format(host=host, port=8000 + index) for index, host in enumerate(HOSTS)]
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, servers="\n  ".join(servers)))
    subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")])
    asyncio.run(_serve(folder, root))


async def _serve(folder: Path, root: Path) -> None:
    started = [asyncio.Event() for _ in HOSTS]
    async with asyncio.TaskGroup() as tasks:
        for index, event in enumerate(started):
            tasks.create_task(_keep(folder, root, index, event))
        for event in started:
            await event.wait()
        await _listen(folder)


async def _keep(folder: Path, root: Path, index: int, started: asyncio.Event) -> None:
    """The kubelet's part: XRootD 5.5 may hang after SIGCONT; what hangs is started anew."""
    environment = {"ROOT": root, "HERE": folder / str(index), "CA": folder / "ca.crt", "INDEX": index}
    environment |= {"PORT": 8000 + index, "PATH": os.environ["PATH"]}
    shell = ("unshare", "--mount", "sh", "-c", _POD)
    values = {name: str(value) for name, value in environment.items()}
    address = f"http://127.0.0.1:{8000 + index}{_ALIVE}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while True:
            process = await asyncio.create_subprocess_exec(*shell, env=values)
            heard, limit = time.monotonic(), _START_SECONDS
            while process.returncode is None and time.monotonic() < heard + limit:
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(address) as answer:
                        if answer.status == 200:
                            heard, limit = time.monotonic(), _HUNG_SECONDS
                            started.set()
                await asyncio.sleep(1 if started.is_set() else 0.1)
            print(f"storage {index} hangs or has ended ({process.returncode}): starting it", flush=True)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _listen(folder: Path) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", PORT)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))

    server = await asyncio.start_unix_server(forward, folder / SERVICE_SOCKET)
    (folder / "ready").touch()
    await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


def _sh(script: str) -> None:
    subprocess.run(["sh", "-ec", script], check=True)


if __name__ == "__main__":
    _inside(Path(sys.argv[1]), Path(sys.argv[2]))
