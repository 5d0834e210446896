"""What a link's own authority makes: for whom, until when, kept for nobody else, and renewed in time."""

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning.devices.agreed import CERTIFIED, CORE, agreed

from anden.engines.local import link_authority
from anden.engines.local.cell import link_certificates, link_files
from anden.engines.local.cell.link_files import AUTHORITY, OTHER_SIDE, LinkFiles
from anden.engines.local.render.strongswan import Proof
from anden.model import codec
from anden.model.invitation import Credential, Rehearsal
from anden.model.problem import Problems
from anden.planning import credentials

NOW = 1_795_764_000.0
DAY = 86_400.0
AGREED = agreed(CERTIFIED)
SIDES = {"1": "198.51.100.100", "2": "198.51.100.101", OTHER_SIDE: "203.0.113.10"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LinkFiles:
    monkeypatch.setattr(link_files, "FOLDER", tmp_path)
    found = LinkFiles(1)
    found.folder.mkdir()
    return found


def certificate(proof: Proof) -> x509.Certificate:
    return x509.load_pem_x509_certificate(proof.certificate.encode())


def all_of(files: LinkFiles) -> dict[str, Proof]:
    return {name: files.proof(name) for name in (*SIDES, AUTHORITY)}


def test_each_side_has_one_for_its_own_address_by_the_links_authority(files: LinkFiles) -> None:
    due = link_certificates.ensure(files, AGREED, NOW)
    assert due == NOW + 60 * DAY
    authority = certificate(files.proof(AUTHORITY))
    for name, address in SIDES.items():
        proof = files.proof(name)
        its = certificate(proof)
        its.verify_directly_issued_by(authority)
        said = its.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(each) for each in said.get_values_for_type(x509.IPAddress)] == [address]
        assert its.subject.rfc4514_string() == f"CN={address}"
        key = serialization.load_pem_private_key(proof.key.encode(), None)
        assert key.public_key() == its.public_key()
        assert proof.authority == files.proof(AUTHORITY).certificate
        assert (proof.since, proof.until) == (NOW, NOW + 90 * DAY)
        for extension in (x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier, x509.BasicConstraints):
            its.extensions.get_extension_for_class(extension)


def test_nobody_else_reads_them_and_a_key_is_in_no_representation(files: LinkFiles) -> None:
    link_certificates.ensure(files, AGREED, NOW)
    assert files.certificates.stat().st_mode & 0o777 == 0o700
    for file in files.certificates.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in repr(files.proof("1"))


def test_they_are_renewed_when_a_third_of_their_time_is_left_and_not_before(files: LinkFiles) -> None:
    link_certificates.ensure(files, AGREED, NOW)
    first = all_of(files)
    assert link_certificates.ensure(files, AGREED, NOW + 60 * DAY - 1) == NOW + 60 * DAY
    assert all_of(files) == first
    assert link_certificates.ensure(files, AGREED, NOW + 60 * DAY) == NOW + 120 * DAY
    second = all_of(files)
    assert {name for name in second if second[name] != first[name]} == SIDES.keys()


def test_what_is_damaged_is_made_anew_and_with_the_authority_all_of_it(files: LinkFiles) -> None:
    link_certificates.ensure(files, AGREED, NOW)
    first = all_of(files)
    (files.certificates / "1.json").write_text("{")
    link_certificates.ensure(files, AGREED, NOW)
    second = all_of(files)
    assert {name for name in second if second[name] != first[name]} == {"1"}
    (files.certificates / f"{AUTHORITY}.json").unlink()
    link_certificates.ensure(files, AGREED, NOW)
    third = all_of(files)
    assert {name for name in third if third[name] != second[name]} == {AUTHORITY, *SIDES}


@given(st.ip_addresses(v=4), st.floats(1.0, 400.0))
def test_a_certificate_is_good_for_its_address_and_its_days(address: IPv4Address, days: float) -> None:
    authority = link_authority.authority("core", NOW)
    proof = link_authority.vouched(authority, str(address), NOW, days)
    its = certificate(proof)
    assert its.not_valid_before_utc.timestamp() < NOW < its.not_valid_after_utc.timestamp() == proof.until
    assert abs(proof.until - NOW - days * DAY) < 1
    assert NOW < proof.renew_at < proof.until


def rehearsal(public: str) -> Rehearsal:
    return Rehearsal("0a1b2c3d", NOW + 3600, "192.0.2.10:4510", {}, "0f" * 32, public)


def test_who_is_invited_gets_one_for_a_key_that_never_was_here_until_the_invitation_ends(files: LinkFiles) -> None:
    link_certificates.ensure(files, AGREED, NOW)
    before, key = all_of(files), ec.generate_private_key(ec.SECP256R1())
    issued = link_certificates.issue(files, AGREED, rehearsal(credentials.public(key)), NOW)
    its = x509.load_pem_x509_certificate(issued.certificate.encode())
    its.verify_directly_issued_by(certificate(before[AUTHORITY]))
    assert issued.authority == before[AUTHORITY].certificate
    assert its.public_key() == key.public_key()
    assert its.subject.rfc4514_string() == "CN=203.0.113.10"
    assert its.not_valid_after_utc.timestamp() == NOW + 3600
    assert all_of(files) == before, "those of the sides here stay as they are"


def test_nobody_is_vouched_for_by_a_key_of_another_sort_nor_without_an_authority(files: LinkFiles) -> None:
    good = credentials.public(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Problems, match="its authority is not there yet"):
        link_certificates.issue(files, AGREED, rehearsal(good), NOW)
    link_certificates.ensure(files, AGREED, NOW)
    with pytest.raises(Problems, match="its sides are proved by keys"):
        link_certificates.issue(files, agreed(CORE), rehearsal(good), NOW)
    for public, why in (
        ("", "cannot be read"), (good[:-40], "cannot be read"), (files.proof("1").key, "cannot be read"),
        (credentials.public(ec.generate_private_key(ec.SECP384R1())), "none of NIST P-256"),
    ):  # fmt: skip
        with pytest.raises(Problems, match=f"nobody can be vouched for by this invitation; its public key .*{why}"):
            link_certificates.issue(files, AGREED, rehearsal(public), NOW)


@given(st.ip_addresses(v=4), st.integers(1, 40 * 86_400))
def test_what_is_issued_is_what_the_file_is_read_as(address: IPv4Address, lasts_s: int) -> None:
    authority, until = link_authority.authority("core", NOW), NOW + lasts_s
    key = ec.generate_private_key(ec.SECP256R1())
    issued = link_authority.vouched_for(authority, str(address), credentials.public(key), NOW, until)
    said = codec.to_data(Credential(issued, authority.certificate, credentials.written(key)))
    assert list(credentials.faults(said, str(address), until)) == []
    assert list(credentials.faults(said, str(address), until + 1)) != []


def test_a_link_with_keys_has_no_certificates() -> None:
    assert not agreed(CORE).certified
    assert AGREED.certified
    assert not replace(AGREED, tunnels=agreed(CORE).tunnels).certified
