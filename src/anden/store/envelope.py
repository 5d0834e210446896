"""Envelope encryption: each value under a data key of its own, and the data key under one that lies elsewhere.

AES-256-GCM both times, with what the value is as associated data: a record that is moved to another name, environment
or version does not open, and neither does one of which a bit was changed. Nonces are random: a key-encryption key
seals far fewer than the 2^32 records that NIST SP 800-38D (8.3) allows it, and a data key seals one.
"""

# ruff: noqa: PLC0415 - `cryptography` takes 50 ms to load, and most commands open no secret

import base64
import json
import os
from dataclasses import dataclass

KEY_BYTES, NONCE_BYTES = 32, 12
FORMAT = "anden secret 1"


class BrokenSeal(Exception):  # noqa: N818 - it is broken, by whomever
    """It is not what was sealed, or not with this key, or it stands where another belongs."""


@dataclass(frozen=True, slots=True)
class About:
    """What a value is; sealed with it, and compared when it is opened."""

    client: str
    environment: str
    engine: str
    name: str
    version: str

    def data(self) -> bytes:
        """Unambiguous, whatever the names hold."""
        said = [FORMAT, self.client, self.environment, self.engine, self.name, self.version]
        return json.dumps(said, ensure_ascii=True).encode()


@dataclass(frozen=True, slots=True)
class Sealed:
    """wrapped: the data key, sealed by the key-encryption key. body: the value, sealed by the data key. Both with their
    nonce in front, in base64."""

    wrapped: str
    body: str


def seal(key: bytes, value: bytes, about: About) -> Sealed:
    """key: KEY_BYTES of the key-encryption key."""
    fresh = os.urandom(KEY_BYTES)
    return Sealed(_seal(key, fresh, about.data()), _seal(fresh, value, about.data()))


def unseal(key: bytes, sealed: Sealed, about: About) -> bytes:
    """The value. Raises BrokenSeal."""
    return _open(_open(key, sealed.wrapped, about.data()), sealed.body, about.data())


def _seal(key: bytes, plain: bytes, about: bytes) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, about)).decode()


def _open(key: bytes, text: str, about: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        data = base64.b64decode(text, validate=True)
        if base64.b64encode(data).decode() != text:  # base64 has bits that say nothing: those are not ours either
            raise BrokenSeal
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], about)
    except (InvalidTag, ValueError):
        raise BrokenSeal from None
