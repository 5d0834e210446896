"""What proves the other side in a rehearsal where certificates do: everything that is wrong with it.

It goes into strongSwan as root, so each text has to be what anden writes and nothing more: a certificate, its key, and
its authority's certificate.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtensionOID, NameOID

Found = TypeVar("Found")
FIELDS = ("certificate", "authority", "key")
Fault = tuple[str, str, str]
"""Where, what and why. It repeats nothing of a key."""
_AUTHORITYS = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.SUBJECT_KEY_IDENTIFIER}
)  # fmt: skip
_SIDES = _AUTHORITYS | {ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.AUTHORITY_KEY_IDENTIFIER}


def written(key: ec.EllipticCurvePrivateKey) -> str:
    """A key as PEM, as OpenSSL wrote keys of its own first: strongSwan reads it without a plugin more."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def public(key: ec.EllipticCurvePrivateKey) -> str:
    """Its public half, as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def faults(said: Any, address: str, until: float | None) -> Iterator[Fault]:
    """All of them. said: a Credential's data, or anything else. address: the other side's, as agreed. until: when the
    invitation ends, Unix seconds; None: it does not say."""
    if not isinstance(said, dict) or set(said) != set(FIELDS):
        yield "credential", "missing, or not whole", "a certificate, its key and its authority prove who joins"
        return
    certificate, authority = _read(said["certificate"], _certificate), _read(said["authority"], _certificate)
    key = _read(said["key"], _key)
    for name, found in zip(FIELDS, (certificate, authority, key), strict=True):
        if found is None:
            yield name, "it cannot be read", "it has to be exactly one, of NIST P-256, in PEM as anden writes it"
    if certificate is not None:
        yield from _wrong_side(certificate, address, until)
    if authority is not None and not (_is(authority, _AUTHORITYS, ca=True) and _issued(authority, authority)):
        yield "authority", "it is none", "it has to vouch for itself and for one more, and to say nothing else"
    if certificate is not None and authority is not None and not _issued(certificate, authority):
        yield "certificate", "another authority issued it", "both sides trust the same one"
    if certificate is not None and key is not None and certificate.public_key() != key.public_key():
        yield "key", "it is not the certificate's", "who joins could prove nothing with it"


def _wrong_side(certificate: x509.Certificate, address: str, until: float | None) -> Iterator[Fault]:
    subject = [(each.oid, each.value) for each in certificate.subject]
    if not _is(certificate, _SIDES, ca=False):
        yield "certificate", "it is none of one side", "it says more, or less, than anden writes"
    elif subject != [(NameOID.COMMON_NAME, address)] or _names(certificate) != [x509.IPAddress(ip_address(address))]:
        yield "certificate", "it is somebody else's", f"its subject and its alternative name have to be {address}"
    ends, ought = certificate.not_valid_after_utc, None if until is None else datetime.fromtimestamp(until, UTC)
    if ought is not None and ends != ought:
        yield (
            "certificate",
            f"it ends at {ends:%Y-%m-%dT%H:%M:%SZ}",
            f"the invitation ends at {ought:%Y-%m-%dT%H:%M:%SZ}",
        )


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _is(certificate: x509.Certificate, extensions: Collection[x509.ObjectIdentifier], *, ca: bool) -> bool:
    """Whether it has these, each once, and vouches for others or does not."""
    if {each.oid for each in certificate.extensions} != set(extensions):
        return False
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca == ca


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _read(said: Any, reader: Callable[[bytes], tuple[Found, str]]) -> Found | None:
    """What it is; None: nothing, or it is written otherwise than anden does, or something stands beside it."""
    try:
        found, ought = reader(said.encode("ascii"))
    except (AttributeError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion):
        return None
    return found if said == ought else None


def _certificate(said: bytes) -> tuple[x509.Certificate, str]:
    found = x509.load_pem_x509_certificate(said)
    its = found.public_key()
    if not isinstance(its, ec.EllipticCurvePublicKey) or not isinstance(its.curve, ec.SECP256R1):
        raise ValueError("another sort of key")
    # What is read only when it is asked for is read here, where what cannot be is told.
    _ = found.subject, found.issuer, found.extensions, found.not_valid_after_utc
    return found, found.public_bytes(Encoding.PEM).decode()


def _key(said: bytes) -> tuple[ec.EllipticCurvePrivateKey, str]:
    found = load_pem_private_key(said, None)
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise ValueError("another sort of key")
    return found, written(found)
