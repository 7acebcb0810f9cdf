# mypy: ignore-errors
"""Succeed when Rucio's server answers and reaches its database.

/ping stays 200 without a database. A login that cannot succeed asks the database first: 401 says that it
answered, 500 that it did not. Nothing of it is kept or logged with a secret.
"""

import sys
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

LOGIN = {
    "X-Rucio-Account": "readiness",
    "X-Rucio-Username": "readiness",
    "X-Rucio-Password": "none",
}


def main(server="http://127.0.0.1:80"):
    request = Request(server + "/auth/userpass", headers=LOGIN)  # noqa: S310
    try:
        build_opener(ProxyHandler({})).open(request, timeout=10)
    except HTTPError as answer:
        return None if answer.code == 401 else f"HTTP status {answer.code}"
    except OSError as error:
        return str(error)
    return "a login that must fail succeeded"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
