"""Issuers' keys and tokens, made at test time and nowhere else."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from anden.model.topology import VerifyingKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class Signer:
    """A private key, by its id."""

    id: str
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    @property
    def algorithm(self) -> str:
        return "RS256" if isinstance(self.private, rsa.RSAPrivateKey) else "ES256"

    @property
    def public(self) -> VerifyingKey:
        pem = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return VerifyingKey(self.id, self.algorithm, pem.decode())

    def jwk(self) -> dict[str, str]:
        """As an issuer publishes it."""
        own = {"kid": self.id, "use": "sig"}
        numbers = self.private.public_key().public_numbers()
        if isinstance(numbers, rsa.RSAPublicNumbers):
            return {**own, "kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        return {**own, "kty": "EC", "crv": "P-256", "x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}

    def token(self, claims: dict[str, Any] | bytes, **header: Any) -> str:
        """header: instead of what it would be, and beside it; None: without."""
        full = {"alg": self.algorithm, "typ": "JWT", "kid": self.id} | header
        text = signed_part({name: value for name, value in full.items() if value is not None}, claims)
        return f"{text}.{b64(self.sign(text.encode()))}"

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@cache
def rsa_signer(id: str) -> Signer:
    return Signer(id, rsa.generate_private_key(65537, 2048))


@cache
def ec_signer(id: str) -> Signer:
    return Signer(id, ec.generate_private_key(ec.SECP256R1()))


def signed_part(header: dict[str, Any], claims: dict[str, Any] | bytes) -> str:
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return f"{b64(json.dumps(header).encode())}.{b64(body)}"


def with_secret(secret: bytes, id: str, claims: dict[str, Any]) -> str:
    """HS256: what somebody makes who takes a public key, or its place, for the secret."""
    text = signed_part({"alg": "HS256", "kid": id}, claims)
    code = hmac.HMAC(secret, hashes.SHA256())
    code.update(text.encode())
    return f"{text}.{b64(code.finalize())}"


def _number(value: int, width: int | None = None) -> str:
    return b64(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))
