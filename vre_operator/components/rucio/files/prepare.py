# mypy: ignore-errors
"""What a program needs to find before it starts: whom to trust, a certificate, and an answering provider.

    prepare.py DIRECTORY [--certificate] [--wait URL]

Writes into DIRECTORY: ca.pem, the public authorities and the site's; certificates/, the same as OpenSSL looks
them up; with --certificate a certificate.pem that nobody verifies. --wait: until URL answers 200, because Rucio
asks its provider once in the life of a process.
"""

import argparse
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

SITE = Path("/etc/vre/ca/ca.crt")
PUBLIC = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
)
END = "-----END CERTIFICATE-----"
PAUSE = 5


def authorities():
    """All of them, each as PEM text."""
    files = [next(filter(Path.exists, map(Path, PUBLIC)), None), SITE]
    texts = [path.read_text() for path in files if path is not None and path.exists()]
    parts = "".join(texts).split(END)[:-1]
    return [part[part.index("-----BEGIN") :] + END + "\n" for part in parts]


def write_trust(directory):
    hashed = directory / "certificates"
    hashed.mkdir(exist_ok=True)
    for number, text in enumerate(found := authorities()):
        (hashed / f"{number}.pem").write_text(text)
    (directory / "ca.pem").write_text("".join(found))
    subprocess.run(["openssl", "rehash", str(hashed)], check=True, stderr=subprocess.DEVNULL)


def write_certificate(directory):
    path = directory / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7300", "-subj", "/CN=storage"]
    done = subprocess.run([*made, "-keyout", "-", "-out", "-"], check=True, capture_output=True)
    path.touch(mode=0o400)
    path.chmod(0o600)
    path.write_bytes(done.stdout)
    path.chmod(0o400)


def wait(url, bundle):
    trust = ssl.create_default_context(cafile=str(bundle))
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=trust))
    while True:
        try:
            opener.open(url, timeout=20).close()
            return
        except (URLError, OSError) as error:
            print(f"{url} does not answer yet: {error}", flush=True)
        time.sleep(PAUSE)


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--certificate", action="store_true")
    parser.add_argument("--wait", default="")
    wanted = parser.parse_args(arguments)
    write_trust(wanted.directory)
    if wanted.certificate:
        write_certificate(wanted.directory)
    if wanted.wait:
        wait(wanted.wait, wanted.directory / "ca.pem")


if __name__ == "__main__":
    main(sys.argv[1:])
