"""spec.storage.s3: object storage that sessions reach with credentials."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vre_operator.api.base import Label, Model
from vre_operator.api.catalogue import Groups
from vre_operator.api.references import SecretName
from vre_operator.api.rules import matches

ENDPOINT = r"^https://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[-A-Za-z0-9._~/]*)?$"
REGION = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


class S3(Model):
    """An S3 service, a profile of AWS's tools in people's sessions."""

    name: Annotated[Label, Field(max_length=40)]
    """Short name; the profile's."""
    endpoint: Annotated[
        str,
        Field(max_length=200),
        matches(ENDPOINT, "is no address of an S3 service", "give https://HOST, as in https://s3.example.org"),
    ]
    """Its address."""
    region: Annotated[
        str,
        Field(max_length=63),
        matches(REGION, "is no region", "use lower-case letters, digits and hyphens, as in us-east-1"),
    ] = "us-east-1"
    """Region; Ceph, MinIO and most others take the default."""
    path_style: bool = True
    """Whether a bucket stands in the path; false where it is part of the hostname."""
    credentials_secret: SecretName
    """Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as an ObjectBucketClaim makes it. People who may
    use the service can read them."""
    allowed_groups: Groups = ()
    """Groups whose members have it; everybody who may log in when empty."""
