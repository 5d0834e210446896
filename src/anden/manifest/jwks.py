"""An issuer's keys: from a JSON Web Key Set (RFC 7517) to what a signature is verified by."""

# ruff: noqa: PLC0415 - `cryptography` takes 50 ms to load, and few manifests name keys
import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from anden.manifest.faults import Wrong
from anden.model.topology import VerifyingKey

MOST_BYTES = 64 * 1024
MOST_KEYS = 20
"""That an issuer signs by at one time; each costs every request a comparison."""
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
_ID = re.compile(r"[!-~]{1,200}")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members that no public key has."""
_COORDINATE_BYTES = 32
_RSA, _EC = "RS256", "ES256"
_AS_SET = 'Save what the issuer publishes: { "keys": [{ "kty": "RSA", "kid": …, "n": …, "e": … }] }.'


def verifying(text: str) -> tuple[VerifyingKey, ...]:
    """The keys that verify signatures, by id: RS256 (RSA) and ES256 (P-256); what is for other things is left out.

    Raises Wrong, which never repeats what is in the text: it is no set, has a private or a secret key in it, or none
    that can be used.
    """
    if len(text) > MOST_BYTES:
        raise Wrong(
            "Save what the issuer publishes.", what=f"larger than {MOST_BYTES >> 10} KB", why="no set of keys is"
        )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise Wrong(_AS_SET, what="not JSON", why="keys are a JSON Web Key Set") from None
    listed = data.get("keys") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise Wrong(_AS_SET, what="holds no list of keys", why="keys are a JSON Web Key Set")
    if any(_PRIVATE & each.keys() or each.get("kty") == "oct" for each in listed):
        raise Wrong(
            "Save the public keys only, and take the other out of use: it has lain in a file.",
            what="holds a private key", why="a gateway verifies by public keys; the private one is the issuer's alone",
        )  # fmt: skip
    found: dict[str, VerifyingKey] = {}
    for number, each in enumerate(listed, start=1):
        if not _signs(each):
            continue
        key = _key(each, f"key {number}")
        if key.id in found:
            raise Wrong("Remove one.", what=f"key {number} has the id of another", why="a token names its key by id")
        found[key.id] = key
    if not found:
        raise Wrong(_AS_SET, what="holds no key that can be used", why="tokens are verified by RS256 or ES256")
    if len(found) > MOST_KEYS:
        raise Wrong(
            "Remove what signs no more.", what=f"holds {len(found)} keys", why=f"at most {MOST_KEYS} are looked at"
        )
    return tuple(found[name] for name in sorted(found))


def _signs(each: Mapping[str, Any]) -> bool:
    """Whether it is for signatures of a kind that the gateway verifies."""
    kinds = {"RSA": _RSA, "EC": _EC}
    kind = each.get("kty")
    if not isinstance(kind, str) or kind not in kinds or each.get("use", "sig") != "sig":
        return False
    operations = each.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return False
    fits = each.get("alg", kinds[kind]) == kinds[kind]
    return bool(fits and (kind == "RSA" or each.get("crv") == "P-256"))


def _key(each: Mapping[str, Any], name: str) -> VerifyingKey:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    own = each.get("kid")
    if not isinstance(own, str) or not _ID.fullmatch(own):
        raise Wrong(
            'Give it a "kid" of printable letters without blanks.', what=f"{name} has no id that can be used",
            why="a token names its key by id",
        )  # fmt: skip
    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    try:
        if each["kty"] == "RSA":
            modulus = _number(each["n"])
            _wide(modulus.bit_length(), name)
            public = rsa.RSAPublicNumbers(_number(each["e"]), modulus).public_key()
        else:
            x, y = (_number(each[axis], _COORDINATE_BYTES) for axis in ("x", "y"))
            public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except (KeyError, ValueError, TypeError):
        raise Wrong(_AS_SET, what=f"{name} cannot be read", why="its numbers are no public key") from None
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return VerifyingKey(own, _RSA if each["kty"] == "RSA" else _EC, pem)


def _wide(bits: int, name: str) -> None:
    if not LEAST_RSA_BITS <= bits <= MOST_RSA_BITS:
        why = f"RSA keys have {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits"
        raise Wrong("Sign by another.", what=f"{name} has {bits} bits", why=why)


def _number(text: object, width: int | None = None) -> int:
    """Raises ValueError, TypeError: no base64url, or not as wide."""
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise TypeError
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError from error
    if width is not None and len(data) != width:
        raise ValueError
    return int.from_bytes(data, "big")
