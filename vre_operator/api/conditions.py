"""Condition types and reasons: words that users, alerts and scripts rely on. Reasons are never renamed."""

from __future__ import annotations

from enum import StrEnum


class Condition(StrEnum):
    """Ready, Reconciling and Stalled follow kstatus; the others stand for one component each."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    TENANCY = "TenancyReady"
    ISOLATED = "Isolated"
    DATABASE = "DatabaseReady"
    IDENTITY = "IdentityReady"
    HUB = "HubReady"
    NOTEBOOKS = "NotebooksReady"
    NOTEBOOKS_WORK = "NotebooksWork"
    DATA_LAKE = "DataLakeReady"
    TRANSFERS = "TransfersReady"
    LAKE_WORKS = "DataLakeWorks"
    WORKFLOWS = "WorkflowsReady"
    WORKFLOWS_WORK = "WorkflowsWork"
    BACKENDS_WORK = "BackendsWork"
    PAGE = "PageReady"
    EXPOSURE = "ExposureReady"
    WITHIN_BOUNDS = "WithinBounds"


class Reason(StrEnum):
    """Why a condition has its status."""

    # the whole tenant
    READY = "Ready"  # everything asked for works
    PROGRESSING = "Progressing"  # on its way, nothing to do for a person
    WAITING = "Waiting"  # waits for another component
    SUSPENDED = "Suspended"  # spec.suspend is true
    DELETING = "Deleting"  # the VREEnvironment is being deleted
    DELETION_BLOCKED = "DeletionBlocked"  # something outside cannot be removed now
    INVALID_SPEC = "InvalidSpec"  # the spec does not fit this operator's schema
    HOSTNAME_TAKEN = "HostnameTaken"  # another tenant holds the hostname
    NAMESPACE_OCCUPIED = "NamespaceOccupied"  # another VREEnvironment lives in this namespace
    ISSUER_MOVED = "IssuerMoved"  # people and clients are at another provider than is asked for now
    SITE_FULL = "SiteFull"  # the VRESite has no room for another tenant
    GRANT_EXPIRED = "GrantExpired"  # the VRESite gave the namespace a VRE until now; suspended
    WITHIN_BOUNDS = "WithinBounds"  # of the VRESite
    OUT_OF_BOUNDS = "OutOfBounds"  # as asked for before the bound was drawn
    PRUNE_HELD = "PruneHeld"  # more than half of the inventory would go: a person must say so
    INTERNAL_ERROR = "InternalError"  # a bug of the operator; its log has the traceback
    # objects in the cluster
    NAMESPACE_TAKEN = "NamespaceTaken"  # a derived namespace exists and is somebody else's
    NAMESPACE_NOT_FOUND = "NamespaceNotFound"  # one that the cluster's admin has to make is not there
    POD_SECURITY_TOO_WEAK = "PodSecurityTooWeak"  # such a one enforces less than the tenant's pods are held to
    OWNED_BY_OTHER = "OwnedByOther"  # an object of this name exists and is somebody else's
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105  a Secret that the spec names does not exist
    SECRET_KEY_MISSING = "SecretKeyMissing"  # noqa: S105  ... or lacks a key
    CLAIM_NOT_FOUND = "ClaimNotFound"  # a volume that the spec names does not exist
    STORAGE_CLASS_NOT_FOUND = "StorageClassNotFound"
    INGRESS_CLASS_NOT_FOUND = "IngressClassNotFound"
    GATEWAY_NOT_FOUND = "GatewayNotFound"
    GATEWAY_API_NOT_INSTALLED = "GatewayApiNotInstalled"  # the cluster knows no Gateways
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"  # the Gateway does not serve it, or only in part
    IMAGE_PULL_FAILED = "ImagePullFailed"
    IMAGE_UNFIT = "ImageUnfit"  # a notebook image without a fitting jupyterhub-singleuser
    IMAGE_NOT_FOUND = "ImageNotFound"  # the registry has no such image
    IMAGE_FORBIDDEN = "ImageForbidden"  # the registry does not let the operator read it
    CRASH_LOOPING = "CrashLooping"
    UNSCHEDULABLE = "Unschedulable"
    VOLUME_PENDING = "VolumePending"
    JOB_FAILED = "JobFailed"
    QUOTA_EXCEEDED = "QuotaExceeded"
    IMMUTABLE_FIELD = "ImmutableField"  # a change that the API server does not allow on an existing object
    # the walls around the tenant, tried from inside
    NOT_TRIED = "NotTried"  # no trial has ended yet; the condition is Unknown
    WALLS_OPEN = "WallsOpen"  # something answers that must not
    NETWORK_POLICY_NOT_ENFORCED = "NetworkPolicyNotEnforced"  # the cluster takes policies, and does nothing
    # talking to any target
    REJECTED = "Rejected"
    NOT_FOUND = "NotFound"
    CONFLICT = "Conflict"
    THROTTLED = "Throttled"
    UNAVAILABLE = "Unavailable"
    ADDRESS_REFUSED = "AddressRefused"  # the site does not allow this address
    FORBIDDEN = "Forbidden"
    # the identity provider
    ISSUER_UNREACHABLE = "IssuerUnreachable"
    ISSUER_MISMATCH = "IssuerMismatch"  # discovery names another issuer than the spec
    ISSUER_REFUSED = "IssuerRefused"  # an address that the site does not allow
    CREDENTIALS_REFUSED = "CredentialsRefused"  # the registration credential does not work
    REGISTRATION_REFUSED = "RegistrationRefused"  # the provider refuses the client
    REGISTRATION_AMBIGUOUS = "RegistrationAmbiguous"  # the answer was lost and the provider cannot be asked
    REGISTRATION_PENDING = "RegistrationPending"  # provider manual: a person has to enter the client
    SCOPES_NOT_GRANTED = "ScopesNotGranted"  # the client is there, without scopes that logins ask for
    CLIENT_OWNED_BY_OTHER = "ClientOwnedByOther"
    CLIENT_DISABLED = "ClientDisabled"  # an admin of the provider disabled it; left alone
    SECRET_EXPIRES = "SecretExpires"  # noqa: S105  in two weeks or less, and is not renewed by itself
    REGISTRATION_TOKEN_LOST = "RegistrationTokenLost"  # noqa: S105
    # an FTS, and the certificate by which it knows the tenant
    CERTIFICATE_INVALID = "CertificateInvalid"  # no PEM, not its key, or over
    CERTIFICATE_EXPIRES = "CertificateExpires"  # in two weeks or less; all works meanwhile
    PROXY_EXPIRED = "ProxyExpired"  # and there is no new one
    RENEWAL_FAILED = "RenewalFailed"  # all works until the proxy ends
    PROBE_FAILED = "ProbeFailed"  # the service runs, but what it is for does not work
