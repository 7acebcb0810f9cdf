"""Object storage in sessions: what AWS's tools read, and who gets which credentials.

One configuration with a profile for each service; the credentials of each are a volume of their own, which only
those get who may use it. `credential_process` and `endpoint_url` are understood by every current SDK; the
checksums that these add by themselves since 2025 are refused by many services that are not AWS.
Source: AWS SDKs and Tools Reference Guide, "Settings reference".
"""

from __future__ import annotations

from collections.abc import Iterable

from vre_operator.api.s3 import S3
from vre_operator.components import ids, workloads
from vre_operator.components.context import Environment, kube
from vre_operator.components.package import config_map, json_file
from vre_operator.engine.refs import Encode, Ref, Text, digest
from vre_operator.engine.resources import Resource, ResourceId

COMPONENT = "notebooks"
CONFIG = "s3"
_FILE = "credentials.json"
_KEY, _SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


def render(env: Environment) -> Iterable[Resource]:
    wish = env.spec.storage.s3
    if not wish or not env.spec.notebooks.enabled:
        return
    profiles = {"config": "\n".join(map(_profile, wish))}
    yield config_map(env, COMPONENT, CONFIG, profiles, namespace=env.notebooks, origin="spec.storage.s3")
    for index, one in enumerate(wish):
        origin = f"spec.storage.s3[{index}].credentialsSecret"
        theirs = kube("v1/Secret", env.namespace, one.credentials_secret.name)
        yield workloads.external(COMPONENT, theirs, origin, _KEY, _SECRET)
        yield Resource(
            id=_credentials(env, one),
            component=COMPONENT,
            body={"type": "Opaque", "stringData": {_FILE: _process_output(theirs)}},
            needs=frozenset({ids.notebooks_namespace(env)}),
            origin=origin,
        )


def as_json(env: Environment) -> str:
    """s3.json: who gets which credentials, and where they are."""
    return json_file(
        [
            {
                "name": one.name,
                "secret": _credentials(env, one).name,
                "path": _directory(one),
                "groups": list(one.allowed_groups),
            }
            for one in env.spec.storage.s3
        ]
    )


def _directory(one: S3) -> str:
    """Where a session has the credentials."""
    return f"/etc/vre/s3-credentials/{one.name}"


def _credentials(env: Environment, one: S3) -> ResourceId:
    return kube("v1/Secret", env.notebooks, f"s3-{digest(one.name)[:8]}")


def _process_output(secret: ResourceId) -> Text:
    """As a `credential_process` says it."""
    key, password = (Ref(secret, name, Encode.JSON) for name in (_KEY, _SECRET))
    return Text('{"Version": 1, "AccessKeyId": ', key, ', "SecretAccessKey": ', password, "}\n")


def _profile(one: S3) -> str:
    lines = [
        f"[profile {one.name}]",
        f"endpoint_url = {one.endpoint}",
        f"region = {one.region}",
        f"credential_process = cat {_directory(one)}/{_FILE}",
        "request_checksum_calculation = when_required",
        "response_checksum_validation = when_required",
        "s3 =",
        # By itself botocore takes the path wherever the service is not AWS.
        f"    addressing_style = {'path' if one.path_style else 'virtual'}",
    ]
    return "\n".join(lines) + "\n"
