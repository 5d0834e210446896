"""An authority that vouches for the two sides of one link, for a rehearsal with certificates: it ends with who holds
it, and nobody else trusts it.

Each certificate says the address of one side, as its subject and as its alternative name, for devices look at either.
Beside them are what AWS asks of a certificate of a customer gateway: both key identifiers, and basic constraints
(Site-to-Site VPN user guide, "Tunnel authentication options").
"""

import datetime
import ipaddress

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from anden.engines.local.authority import usage
from anden.engines.local.render.strongswan import Proof
from anden.planning.credentials import written

AUTHORITY_DAYS = 3650
"""Longer than a machine stays up: with the authority both sides would have to change at once."""
DAYS = 90
"""How long a side's certificate is valid. It is renewed when a third is left."""
DAY_S = 86_400.0
BEFORE = datetime.timedelta(minutes=5)
"""Valid already: the other side's clock is not ours."""


def authority(name: str, now: float) -> Proof:
    """A new one. name: the link's. now: Unix seconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(f"anden rehearsal of link {name}")
    its = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    built = _begun(subject, subject, key.public_key(), now, now + AUTHORITY_DAYS * DAY_S)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    built = built.add_extension(usage(signs_certificates=True), critical=True).add_extension(its, critical=False)
    return _proof(built.sign(key, hashes.SHA256()), key, now)


def vouched(by: Proof, address: str, now: float, days: float = DAYS) -> Proof:
    """A certificate of the authority for who has that address. now: Unix seconds. Raises ValueError: `by` is none."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _proof(_signed(by, address, key.public_key(), now, now + days * DAY_S), key, now, by.certificate)


def vouched_for(by: Proof, address: str, public: str, now: float, until: float) -> str:
    """The same for a key that somebody else has, as PEM: its public half, of NIST P-256. until: when it ends, as now in
    Unix seconds. Raises ValueError: `by` is none, or `public` is none."""
    try:
        its = serialization.load_pem_public_key(public.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("its public key cannot be read") from None
    if not isinstance(its, ec.EllipticCurvePublicKey) or not isinstance(its.curve, ec.SECP256R1):
        raise ValueError("its public key is none of NIST P-256")
    return _pem(_signed(by, address, its, now, until))


def _signed(
    by: Proof, address: str, its: ec.EllipticCurvePublicKey, now: float, until: float
) -> x509.Certificate:  # fmt: skip
    signer = x509.load_pem_x509_certificate(by.certificate.encode())
    signing = serialization.load_pem_private_key(by.key.encode(), None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key of an authority of ours")
    signer_id = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    built = _begun(_named(address), signer.subject, its, now, until)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage(signs_certificates=False), True),
        (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False),
        (x509.SubjectKeyIdentifier.from_public_key(its), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer_id), False),
    ):
        built = built.add_extension(extension, critical=critical)
    return built.sign(signing, hashes.SHA256())


def _begun(
    subject: x509.Name, issuer: x509.Name, its: ec.EllipticCurvePublicKey, now: float, until: float
) -> x509.CertificateBuilder:
    moment, end = (datetime.datetime.fromtimestamp(each, datetime.UTC) for each in (now, until))
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(its)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(moment, end) - BEFORE)
        .not_valid_after(end)
    )


def _proof(
    certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, now: float, authority: str | None = None
) -> Proof:
    text = _pem(certificate)
    return Proof(text, authority or text, written(key), now, certificate.not_valid_after_utc.timestamp())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
