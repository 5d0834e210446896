"""An invitation to a link with certificates: it comes back as it was, and whatever is not exactly what anden writes is
refused, for root gives it to strongSwan."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning.devices.agreed import CERTIFIED as LINK
from tests.unit.planning.devices.agreed import agreed
from tests.unit.planning.test_invitations import INVITATION, MADE, UNTIL, wrong

from anden.engines.local import link_authority
from anden.engines.local.render.strongswan import Proof
from anden.model import codec
from anden.model.invitation import Credential
from anden.planning import credentials
from anden.planning.invitations import read, text

PEER = "203.0.113.10"
AUTHORITY, OTHER = link_authority.authority("core", MADE), link_authority.authority("core", MADE)
PRIVATE, ANOTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def issued(by: Proof = AUTHORITY, address: str = PEER, until: float = UNTIL) -> str:
    return link_authority.vouched_for(by, address, credentials.public(PRIVATE), MADE, until)


GOOD = Credential(issued(), AUTHORITY.certificate, credentials.written(PRIVATE))
CERTIFIED = replace(
    INVITATION, agreement=agreed(LINK), rehearsal=replace(INVITATION.rehearsal, keys={}), credential=GOOD
)  # fmt: skip
DATA: dict[str, str] = codec.to_data(GOOD)


def certificate(
    subject: str = PEER, names: Sequence[str] = (PEER,), ca: bool = False, less: str = "", more: bool = False
) -> str:  # fmt: skip
    """The authority's, as good as the one that is issued but for what is said. less: an extension that is left out."""
    signer = x509.load_pem_x509_certificate(AUTHORITY.certificate.encode())
    signing = serialization.load_pem_private_key(AUTHORITY.key.encode(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    like = x509.load_pem_x509_certificate(issued().encode())
    built = (
        x509.CertificateBuilder().subject_name(named(subject)).issuer_name(signer.subject)
        .public_key(PRIVATE.public_key()).serial_number(1).not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
    )  # fmt: skip
    other: dict[str, x509.ExtensionType] = {
        "basicConstraints": x509.BasicConstraints(ca=ca, path_length=None),
        "subjectAltName": x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(each)) for each in names]),
    }
    for each in like.extensions:
        name = each.oid._name
        if name != less:
            built = built.add_extension(other.get(name, each.value), each.critical)
    if more:
        built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return pem(built.sign(signing, hashes.SHA256()))


def authority_of_another_curve() -> str:
    key = ec.generate_private_key(ec.SECP384R1())
    like = x509.load_pem_x509_certificate(AUTHORITY.certificate.encode())
    built = (
        x509.CertificateBuilder().subject_name(like.subject).issuer_name(like.subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(like.not_valid_before_utc).not_valid_after(like.not_valid_after_utc)
    )  # fmt: skip
    for each in like.extensions:
        built = built.add_extension(each.value, each.critical)
    return pem(built.sign(key, hashes.SHA256()))


def named(subject: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])


def pem(made: x509.Certificate) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()


def pkcs8() -> str:
    return PRIVATE.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_it_comes_back_as_it_was() -> None:
    again = read(text(CERTIFIED), "core.invitation", MADE)
    assert again == CERTIFIED
    assert list(credentials.faults(DATA, PEER, UNTIL)) == []
    assert GOOD.key not in f"{again} {again!r}"


CHANGED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, []),
    "no certificate": ({"certificate": ""}, ["certificate, it cannot be read"]),
    "two certificates": ({"certificate": GOOD.certificate * 2}, ["certificate, it cannot be read"]),
    "words before it": ({"certificate": "load = x\n" + GOOD.certificate}, ["certificate, it cannot be read"]),
    "no text": ({"certificate": 5, "key": None}, ["certificate, it cannot be read", "key, it cannot be read"]),
    "its key in its place": ({"certificate": GOOD.key}, ["certificate, it cannot be read"]),
    "another address": ({"certificate": issued(address="203.0.113.11")}, ["certificate, it is somebody else's"]),
    "another end": ({"certificate": issued(until=UNTIL + 1)}, ["certificate, it ends at 2026-11-27T04:26:41Z"]),
    "another authority's": (
        {"certificate": issued(OTHER)}, ["certificate, another authority issued it"],
    ),
    "another authority": ({"authority": OTHER.certificate}, ["certificate, another authority issued it"]),
    "nothing, by our hand": ({"certificate": certificate()}, []),
    "another subject": ({"certificate": certificate(subject="other")}, ["certificate, it is somebody else's"]),
    "another name": ({"certificate": certificate(names=["203.0.113.11"])}, ["certificate, it is somebody else's"]),
    "two names": ({"certificate": certificate(names=[PEER, "203.0.113.11"])}, ["certificate, it is somebody else's"]),
    "one that vouches": ({"certificate": certificate(ca=True)}, ["certificate, it is none of one side"]),
    "one that says more": ({"certificate": certificate(more=True)}, ["certificate, it is none of one side"]),
    "one that says less": ({"certificate": certificate(less="keyUsage")}, ["certificate, it is none of one side"]),
    "one without a name": (
        {"certificate": certificate(less="subjectAltName")}, ["certificate, it is none of one side"],
    ),
    "an authority of another curve": (
        {"authority": authority_of_another_curve()}, ["authority, it cannot be read"],
    ),
    "no authority": (
        {"authority": GOOD.certificate}, ["authority, it is none", "certificate, another authority issued it"],
    ),
    "the authority as a side": (
        {"certificate": AUTHORITY.certificate},
        [
            "certificate, it is none of one side", "certificate, it ends at 2036-11-24T03:26:40Z",
            "key, it is not the certificate's",
        ],
    ),
    "another key": ({"key": credentials.written(ANOTHER)}, ["key, it is not the certificate's"]),
    "a key written otherwise": ({"key": pkcs8()}, ["key, it cannot be read"]),
    "a key of another curve": (
        {"key": credentials.written(ec.generate_private_key(ec.SECP384R1()))}, ["key, it cannot be read"],
    ),
    "all of it": (
        {"certificate": "", "authority": "x", "key": "\u00e9"},
        ["certificate, it cannot be read", "authority, it cannot be read", "key, it cannot be read"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_everything_that_is_wrong_with_it_is_said_at_once(name: str) -> None:
    change, expected = CHANGED[name]
    said = list(credentials.faults({**DATA, **change}, PEER, UNTIL))
    assert [f"{where}, {what}" for where, what, _ in said] == expected
    assert all(why for _, _, why in said)
    assert not any(line in str(said) for line in GOOD.key.splitlines()[1:-1])


@pytest.mark.parametrize("said", [None, [], "PEM", {}, {"certificate": ""}, {**DATA, "more": ""}])
def test_what_is_not_whole_is_refused(said: Any) -> None:
    [(where, what, _)] = credentials.faults(said, PEER, UNTIL)
    assert (where, what) == ("credential", "missing, or not whole")


@given(st.sampled_from(credentials.FIELDS), st.integers(0, 2000), st.characters(codec="utf-8"), st.booleans())
def test_one_letter_more_or_another_one_is_refused(name: str, at: int, letter: str, put_in: bool) -> None:
    was = DATA[name]
    at %= len(was)
    now = was[:at] + letter + was[at + (0 if put_in else 1) :]
    assert (now == was) == (list(credentials.faults({**DATA, name: now}, PEER, UNTIL)) == [])


@given(st.sampled_from(credentials.FIELDS), st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_whatever_stands_there_is_said_and_breaks_nothing(name: str, content: str) -> None:
    for said in (content, f"{DATA[name].splitlines()[0]}\n{content}\n{DATA[name].splitlines()[-1]}\n"):
        assert list(credentials.faults({**DATA, name: said}, PEER, UNTIL)) != []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda said: said.update(keys={"vpn-1": "a" * 43}), ["keys"]),
        (lambda said: said.pop("keys"), ["keys"]),
        (lambda said: said.pop("credential"), ["credential"]),
        (lambda said: said.update(credential=None), ["credential"]),
        (lambda said: said["credential"].update(key=""), ["key"]),
        (lambda said: said.update(expires="2026-11-27T04:26:39Z"), ["certificate"]),
        (lambda said: said.update(expires="soon", wire=""), ["expires", "wire"]),
        (lambda said: said["agreement"].update(peer="203.0.113.11"), ["agreement", "certificate"]),
        (
            lambda said: said["agreement"]["tunnels"][0].update(key="vpn-1"),
            ["agreement", "credential", "keys", "keys"],
        ),
    ],
)
def test_in_the_file_each_is_named(change: Callable[[Any], object], where: list[str]) -> None:
    said = json.loads(text(CERTIFIED))
    change(said)
    found = wrong(json.dumps(said))
    assert [each.where.removeprefix("core.invitation, ") for each in found] == where


def test_keys_and_a_certificate_do_not_go_together() -> None:
    for value in (DATA, None):
        said = {**json.loads(text(INVITATION)), "credential": value}
        assert [each.where for each in wrong(json.dumps(said))] == ["core.invitation, credential"]


def test_it_ends_as_one_with_keys_does() -> None:
    [problem] = wrong(text(CERTIFIED), UNTIL)
    assert problem.what == "it ended at 2026-11-27T04:26:40Z"
