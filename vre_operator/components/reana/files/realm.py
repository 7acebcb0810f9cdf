# mypy: ignore-errors
"""The key that signs a provider's tokens, as a Keycloak tells it of its realm.

REANA 0.95 believes a login only after it verified the token with `public_key` of `realm_url`
(invenio-oauthclient 7, contrib/keycloak/helpers.py); other providers have nothing there. Runs in the server's
image (Python 3.8 and later).
"""

import base64
import json
import os
import urllib.request

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVES = {"P-256": SECP256R1, "P-384": SECP384R1}
LARGEST = 1 << 20
TIMEOUT = 10


class NoKey(Exception):
    """With what is missing, in words."""


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(decoded(text), "big")


def public_key(key):
    """Of a key as RFC 7517 has it; None for a kind that signs no tokens here."""
    if key.get("use", "sig") != "sig":
        return None
    if key["kty"] == "RSA":
        return RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
    if key["kty"] == "EC" and key["crv"] in CURVES:
        return EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), CURVES[key["crv"]]()).public_key()
    return None


def name(token):
    """Of the key that signed it; None where it does not say."""
    try:
        return json.loads(decoded(token.split(".")[0])).get("kid")
    except (ValueError, AttributeError):
        return None


def chosen(keys, token):
    """Of several the one that signed this token, which came with the one to be verified; else the first."""
    signing = [(key.get("kid"), public) for key in keys for public in [public_key(key)] if public is not None]
    if not signing:
        raise NoKey("the provider publishes no key that signs by RSA or EC")
    wanted = name(token)
    return next((public for kid, public in signing if wanted and kid == wanted), signing[0][1])


def realm(token):
    """{"public_key"} of the provider, whose keys are at VRE_JWKS. token: what the provider gave for a person,
    "" for none. Raises NoKey."""
    address = os.environ.get("VRE_JWKS", "")
    if not address.startswith("https://"):
        raise NoKey("the provider publishes no keys by https")
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:  # noqa: S310  https, see above
            keys = json.loads(response.read(LARGEST))["keys"]
        public = chosen(keys, token)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoKey(f"the provider's keys are not to be had ({type(error).__name__})") from None
    text = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    return {"public_key": text}
