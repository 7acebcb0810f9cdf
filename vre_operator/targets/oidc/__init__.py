"""The identity provider as a target: its discovery document, and the login clients registered with it."""

from vre_operator.targets.oidc.target import OidcTarget

__all__ = ["OidcTarget"]
