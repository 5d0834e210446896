"""A client's own certificate authority, for the gateways of its twins.

It is made when first needed. Its key lies in the client's state folder and nowhere else, for root alone, and signs
nothing but certificates of gateways. It is bound to the names that it was made for (RFC 5280, name constraints): who
steals the key can pretend to be these hosts to who trusts it, and nobody else. A name that it may not sign for takes
another authority, which has to be trusted anew.
"""

import datetime
import fcntl
import ipaddress
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from anden.model.problem import Problem, Problems

FOLDER = "authority"
"""Of a client's state."""
KEPT, PUBLIC, LOCK = "authority.key", "authority.crt", "lock"
"""Key and certificate in one file, so that they are never two halves of different ones; and a copy of the latter."""
DAYS, LEAST_DAYS = 730, 180
"""How long an authority is valid; with less left, another one is made."""
GATEWAY_DAYS = 90
"""How long a gateway's certificate is valid. It is renewed when a third is left."""
BEFORE = datetime.timedelta(minutes=5)
"""Valid already: clients' clocks are not ours."""
COMMON_NAME = 64
"""Letters of a common name at most (RFC 5280, upper bounds)."""
OTHERS = 0o077
_ANY_ADDRESS = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Signed:
    """A gateway's certificate with its key, which is on no disk. renew_at: Unix seconds."""

    pem: str = field(repr=False)
    renew_at: float


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)


def folder(state: Path, client: str) -> Path:
    """Where a client's authority is, below the state folder."""
    return state / client / FOLDER


def certificate(at: Path) -> x509.Certificate | None:
    """The authority's certificate, which anybody may see; None: there is none. Raises Problems: it cannot be read."""
    try:
        return x509.load_pem_x509_certificate((at / PUBLIC).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Problems(_unreadable(at / PUBLIC, error)) from error


def names(authority: x509.Certificate) -> tuple[str, ...]:
    """The names that it may sign for, each with all below it."""
    try:
        bounds = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(each.value for each in bounds.permitted_subtrees or () if isinstance(each, x509.DNSName))


def sign(at: Path, client: str, hosts: Sequence[str], now: float, present: str | None = None) -> Signed | None:
    """A certificate for exactly these hosts by the authority in the folder, which is made, or made anew, where it is
    not. None: `present` (PEM) is good for longer. now: Unix seconds. Raises Problems: the folder cannot be used."""
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    try:
        with _locked(at):
            authority = _ensured(at, client, hosts, moment)
            if present is not None and _good(present, authority.certificate, hosts, now):
                return None
            return _gateway(authority, hosts, moment)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problems(Problem(str(at), "no certificate can be made", why, "Run the same with sudo.")) from error


def renew_at(gateway: x509.Certificate) -> float:
    """When a third of its time is left, Unix seconds."""
    begin, end = gateway.not_valid_before_utc.timestamp(), gateway.not_valid_after_utc.timestamp()
    return end - (end - begin) / 3


def _good(pem: str, authority: x509.Certificate, hosts: Sequence[str], now: float) -> bool:
    try:
        gateway = x509.load_pem_x509_certificate(pem.encode())
        gateway.verify_directly_issued_by(authority)
        said = gateway.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    begin = gateway.not_valid_before_utc.timestamp()
    return set(said.get_values_for_type(x509.DNSName)) == set(hosts) and begin <= now < renew_at(gateway)


def _ensured(at: Path, client: str, hosts: Sequence[str], now: datetime.datetime) -> _Authority:
    found = _kept(at / KEPT)
    if found is not None:
        left = found.certificate.not_valid_after_utc - now
        bound = names(found.certificate)
        early = found.certificate.not_valid_before_utc > now
        if not early and left > datetime.timedelta(days=LEAST_DAYS) and all(_below(host, bound) for host in hosts):
            _publish(at, found.certificate)
            return found
    before = names(found.certificate) if found is not None else ()
    made = _made(client, _topmost({*before, *hosts}), now)
    key = made.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(at / KEPT, key + made.certificate.public_bytes(serialization.Encoding.PEM), 0o600)
    _publish(at, made.certificate)
    return made


def _kept(file: Path) -> _Authority | None:
    """Raises Problems: others may read it, or it is not what was written."""
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            held = opened.read()
    except FileNotFoundError:
        return None
    if mode & OTHERS:
        what, why = "others than its owner may read the authority's key", f"its mode is {mode & 0o777:04o}"
        fix = "Remove it, and what trusts it (`anden trust --remove`): the next `anden up` makes another."
        raise Problems(Problem(str(file), what, why, fix))
    try:
        key = serialization.load_pem_private_key(held, None)
        its = x509.load_pem_x509_certificate(held)
    except (ValueError, TypeError) as error:
        raise Problems(_unreadable(file, None)) from error  # what a reader of keys says may repeat one
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != its.public_key():
        raise Problems(_unreadable(file, None))
    return _Authority(its, key)


def _unreadable(file: Path, error: Exception | None) -> Problem:
    if isinstance(error, OSError):
        return Problem(str(file), "cannot be read", error.strerror or str(error), "Run the same with sudo.")
    why, fix = (
        "it is not what anden wrote",
        "Remove it: the next `anden up` makes another, to be trusted anew.",
    )
    return Problem(str(file), "cannot be read", why, fix)


def _made(client: str, bound: Iterable[str], now: datetime.datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # One made later has another name: with the same one, clients would try the wrong key.
    name = f"anden twin {serial:x}"[: len("anden twin ") + 8]
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, client[:COMMON_NAME]),
         x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )  # fmt: skip
    its = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    bounds = x509.NameConstraints([x509.DNSName(each) for each in bound], [x509.IPAddress(net) for net in _ANY_ADDRESS])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(bounds, critical=True)
        .add_extension(its, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Authority(built, key)


def _gateway(authority: _Authority, hosts: Sequence[str], now: datetime.datetime) -> Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    ordered = sorted(set(hosts))
    named = [x509.NameAttribute(NameOID.COMMON_NAME, each) for each in ordered[:1] if len(each) <= COMMON_NAME]
    signer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(named))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + datetime.timedelta(days=GATEWAY_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in ordered]), critical=not named)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    its = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Signed((built.public_bytes(serialization.Encoding.PEM) + its).decode(), renew_at(built))


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What the key of a certificate may do: sign others, or nothing but prove who it is."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _below(host: str, bound: Iterable[str]) -> bool:
    return any(host == each or host.endswith(f".{each}") for each in bound)


def _topmost(hosts: set[str]) -> list[str]:
    """Without those that another one covers."""
    return sorted(each for each in hosts if not _below(each, hosts - {each}))


def _publish(at: Path, its: x509.Certificate) -> None:
    pem = its.public_bytes(serialization.Encoding.PEM)
    if not (at / PUBLIC).is_file() or (at / PUBLIC).read_bytes() != pem:
        _write(at / PUBLIC, pem, 0o644)


def _write(file: Path, content: bytes, mode: int) -> None:
    """Durable, and never readable for others from its first moment where the mode says so."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)


@contextmanager
def _locked(at: Path) -> Iterator[None]:
    """Environments of one client come up at once."""
    at.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = os.open(at / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
