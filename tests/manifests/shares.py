"""Volumes in sessions that must be refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.manifests.base import Bad, BadChange, bad


def shares(*items: Mapping[str, Any]) -> Mapping[str, Any]:
    """Each with a volume unless it says otherwise; Ellipsis removes."""
    found = [{"name": "team", "volume": {}, **item} for item in items]
    return {"storage": {"shares": [{key: it for key, it in one.items() if it is not ...} for one in found]}}


def share(name: str, fields: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    return bad(name, shares(fields), f"storage.shares[0].{path}", says, server)


def _place(path: str) -> Bad:
    return share(f"share at {path}", {"mountPath": path}, "mountPath", "as in /shared/survey")


def store(name: str, fields: Mapping[str, Any], path: str, says: str, server: str = "") -> Bad:
    one = {"name": "a", "endpoint": "https://s3.example.org", "credentialsSecret": {"name": "s3"}, **fields}
    return bad(name, {"storage": {"s3": [one]}}, f"storage.s3[0].{path}", says, server)


BAD_SHARES: tuple[Bad, ...] = (
    store("S3 without TLS", {"endpoint": "http://s3.example.org"}, "endpoint", "https://HOST"),
    store("S3 with a line", {"endpoint": "https://s3.example.org\nx = y"}, "endpoint", "https://HOST"),
    store("S3 with a region of two words", {"region": "a b"}, "region", "us-east-1"),
    store("S3 of no label", {"name": "A]"}, "name", "lower-case"),
    *map(
        _place,
        (
            "/",
            "shared",
            "/etc",
            "/usr/local",
            "/opt/rucio",
            "/run/vre/tokens",
            "/home/jovyan",
            "/home/jovyan/.ssh",
            "/home/alice",
            "/shared/../etc",
            "/shared//x",
            "/shared/",
            "/sharedx",
            "/shared/x y",
            "/shared/x\n",
        ),
    ),
    share("share nowhere", {"volume": ...}, "volume", "exactly one of"),
    share("share in two places", {"cvmfs": {}}, "volume", "exactly one of"),
    share(
        "share that is a home", {"volume": ..., "claim": {"name": "claim-alice"}}, "claim.name", "not shared"
    ),
    share("writers where nobody writes", {"readOnly": True, "writers": ["a"]}, "writers", "remove writers"),
    share("writers of CVMFS", {"volume": ..., "cvmfs": {}, "writers": ["a"]}, "writers", "remove writers"),
    share("share too small", {"volume": {"size": "1Mi"}}, "volume.size", "64Mi or more"),
    share(
        "share read by nobody's mode", {"volume": {"accessMode": "ReadOnlyMany"}}, "volume.accessMode", "Read"
    ),
    share("share without a label", {"name": "My Team"}, "name", "lower-case"),
    bad(
        "two shares in one place",
        shares({}, {"name": "other", "mountPath": "/shared/team"}),
        "storage.shares",
        "mountPath of its own",
    ),
    bad(
        "a share inside another",
        shares({}, {"name": "other", "mountPath": "/shared/team/other"}),
        "storage.shares",
        "not inside another's",
    ),
    bad(
        "two shares by default in one place",
        shares({"mountPath": "/cvmfs"}, {"name": "other", "volume": ..., "cvmfs": {}}),
        "storage.shares",
        "mountPath of its own",
    ),
)


def _of(**fields: Any) -> Mapping[str, Any]:
    return {"spec": shares({"volume": {"size": "2Gi", **fields}})}


_BEFORE = _of()
_VOLUME = "spec.storage.shares[0].volume"
BAD_SHARE_CHANGES: tuple[BadChange, ...] = (
    BadChange("share shrinks", _BEFORE, _of(size="1Gi"), f"{_VOLUME}.size", "only grow"),
    BadChange("share moves", _BEFORE, _of(storageClass="fast"), f"{_VOLUME}.storageClass", "set it back"),
    BadChange(
        "share changes its mode", _BEFORE, _of(accessMode="ReadWriteOnce"), f"{_VOLUME}.accessMode", "set"
    ),
)
FINE_SHARES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (
        "shares of every kind",
        {
            "spec": shares(
                {},
                {"name": "calibration", "mountPath": "/home/jovyan/calibration", "writers": ["a"]},
                {"name": "archive", "volume": ..., "claim": {"name": "archive"}, "readOnly": True},
                {"name": "software", "volume": ..., "cvmfs": {}},
            )
        },
    ),
)
