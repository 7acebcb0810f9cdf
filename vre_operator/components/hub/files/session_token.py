# mypy: ignore-errors
"""Keeps the person's access token fresh in a file of the session, for Rucio and storages. No library is needed.

Arguments: the service that gives it, the file, and where the site has authorities of its own their file: then
`certificates` beside the token has them and the public ones, by the names that grid libraries look for.
Says what is wrong, and never the token.
"""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

SHORTEST, LONGEST = 5, 300
PUBLIC = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    ssl.get_default_verify_paths().cafile or "",
)
END = "-----END CERTIFICATE-----"


def trust(site, directory):
    directory.mkdir(exist_ok=True)
    public = next((Path(path) for path in PUBLIC if path and Path(path).exists()), None)
    texts = [path.read_text() for path in (public, Path(site)) if path]
    for number, part in enumerate("".join(texts).split(END)[:-1]):
        (directory / f"{number}.pem").write_text(part[part.index("-----BEGIN") :] + END + "\n")
    try:
        subprocess.run(["openssl", "rehash", str(directory)], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"grid libraries will not trust the site's authorities: {error}", flush=True)


def fetched(service, own):
    headers = {"Authorization": f"token {own}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(service, headers=headers)  # noqa: S310
    with opener.open(asked, timeout=90) as answer:
        told = json.load(answer)
    return told["access_token"], told["expires_at"]


def write(path, token):
    """As a whole or not at all, and for the person alone."""
    scratch = Path(f"{path}.new")
    scratch.touch(mode=0o600)
    scratch.write_text(token)
    scratch.replace(path)


def renewed(service, own, path):
    """Seconds until it has to be done again: halfway to its end there is time for more than one try."""
    token, ends_at = fetched(service, own)
    write(path, token)
    return min(max((ends_at - time.time()) / 2, SHORTEST), LONGEST)


def main(service, path, site=""):
    if site:
        trust(site, Path(path).parent / "certificates")
    wait = SHORTEST
    while True:
        try:
            wait = renewed(service, os.environ["JUPYTERHUB_API_TOKEN"], path)
        except urllib.error.HTTPError as error:
            print(f"no token ({error.code}): {error.read(200).decode(errors='replace')}", flush=True)
            wait = min(wait * 2, 60)
        except (OSError, ValueError, KeyError) as error:
            print(f"no token: {type(error).__name__}", flush=True)
            wait = min(wait * 2, 60)
        time.sleep(wait)


if __name__ == "__main__":
    main(*sys.argv[1:])
