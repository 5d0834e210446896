"""An authority that vouches for the two sides of one link, for a rehearsal with certificates: it ends with who holds
it, and nobody else trusts it.

Each certificate says the address of one side, as its subject and as its alternative name, for devices look at either.
Beside them are what AWS asks of a certificate of a customer gateway: both key identifiers, and basic constraints
(Site-to-Site VPN user guide, "Tunnel authentication options").
"""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from anden.engines.local.authority import usage
from anden.engines.local.render.strongswan import Proof

AUTHORITY_DAYS = 3650
"""Longer than a machine stays up: with the authority both sides would have to change at once."""
DAYS = 90
"""How long a side's certificate is valid. It is renewed when a third is left."""
BEFORE = datetime.timedelta(minutes=5)
"""Valid already: the other side's clock is not ours."""


def authority(name: str, now: float) -> Proof:
    """A new one. name: the link's. now: Unix seconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(f"anden rehearsal of link {name}")
    its = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    built = _begun(subject, subject, key, now, AUTHORITY_DAYS)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    built = built.add_extension(usage(signs_certificates=True), critical=True).add_extension(its, critical=False)
    return _proof(built.sign(key, hashes.SHA256()), key, now)


def vouched(by: Proof, address: str, now: float, days: float = DAYS) -> Proof:
    """A certificate of the authority for who has that address. now: Unix seconds. Raises ValueError: `by` is none."""
    signer = x509.load_pem_x509_certificate(by.certificate.encode())
    signing = serialization.load_pem_private_key(by.key.encode(), None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key of an authority of ours")
    key = ec.generate_private_key(ec.SECP256R1())
    signer_id = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    built = _begun(_named(address), signer.subject, key, now, days)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage(signs_certificates=False), True),
        (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer_id), False),
    ):
        built = built.add_extension(extension, critical=critical)
    return _proof(built.sign(signing, hashes.SHA256()), key, now, by.certificate)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: float, days: float
) -> x509.CertificateBuilder:
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    end = moment + datetime.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(moment, end) - BEFORE)
        .not_valid_after(end)
    )


def _proof(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, now: float, authority: str | None = None
) -> Proof:
    # As OpenSSL wrote keys of its own first: strongSwan reads it without a plugin more.
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    text = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return Proof(text, authority or text, pem.decode(), now, certificate.not_valid_after_utc.timestamp())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
