"""The client's own authority: what it signs, when it signs anew, and who may read its key."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from anden.engines.local import authority
from anden.engines.local.cell.certificates import Certificates
from anden.model.problem import Problems

NOW, DAY_S = 1_800_000_000.0, 86_400.0
HOSTS = ("api.bank.example", "partners.bank.example")


def leaf(signed: authority.Signed | None) -> x509.Certificate:
    assert signed is not None
    return x509.load_pem_x509_certificate(signed.pem.encode())


def public(signed: authority.Signed | None) -> str:
    assert signed is not None
    return signed.pem.partition("-----BEGIN PRIVATE")[0]


def root(folder: Path) -> x509.Certificate:
    found = authority.certificate(folder)
    assert found is not None
    return found


def test_it_signs_for_exactly_these_hosts(tmp_path: Path) -> None:
    signed = leaf(authority.sign(tmp_path / "a", "bank", HOSTS, NOW))
    signed.verify_directly_issued_by(root(tmp_path / "a"))
    said = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(said.get_values_for_type(x509.DNSName)) == HOSTS
    assert not signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = signed.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    days = signed.not_valid_after_utc - datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    assert days == datetime.timedelta(days=90)


def test_its_key_is_for_its_owner_alone_and_the_gateways_is_on_no_disk(tmp_path: Path) -> None:
    signed = authority.sign(tmp_path / "a", "bank", HOSTS, NOW)
    assert signed is not None
    assert (tmp_path / "a" / authority.KEPT).stat().st_mode & 0o777 == 0o600
    with_keys = {file.name for file in (tmp_path / "a").iterdir() if "PRIVATE" in file.read_text()}
    assert with_keys == {authority.KEPT}
    assert "PRIVATE" not in repr(signed)
    assert load_pem_private_key(signed.pem.encode(), None).public_key() == leaf(signed).public_key()


def test_what_is_good_for_longer_stays_and_is_renewed_when_a_third_is_left(tmp_path: Path) -> None:
    first = authority.sign(tmp_path / "a", "bank", HOSTS, NOW)
    present = public(first)
    assert authority.sign(tmp_path / "a", "bank", HOSTS, NOW + 59 * DAY_S, present) is None
    again = authority.sign(tmp_path / "a", "bank", HOSTS, NOW + 60 * DAY_S, present)
    leaf(again).verify_directly_issued_by(root(tmp_path / "a"))
    assert leaf(again).not_valid_after_utc > leaf(first).not_valid_after_utc
    assert first is not None
    assert NOW + 59 * DAY_S < first.renew_at <= NOW + 60 * DAY_S
    late = authority.sign(tmp_path / "a", "bank", HOSTS, NOW + 100 * DAY_S, present)
    assert leaf(first).not_valid_after_utc < leaf(late).not_valid_before_utc, (
        "it had expired: nobody looked for so long"
    )


@pytest.mark.parametrize(
    "present", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_what_is_none_is_not_good(tmp_path: Path, present: str) -> None:
    assert authority.sign(tmp_path / "a", "bank", HOSTS, NOW, present) is not None


def test_other_hosts_and_another_authority_take_another_certificate(tmp_path: Path) -> None:
    present = public(authority.sign(tmp_path / "a", "bank", HOSTS, NOW))
    assert authority.sign(tmp_path / "a", "bank", HOSTS[:1], NOW, present) is not None
    assert authority.sign(tmp_path / "b", "bank", HOSTS, NOW, present) is not None
    assert authority.sign(tmp_path / "a", "bank", HOSTS, NOW, present) is None


def test_it_is_bound_to_its_names(tmp_path: Path) -> None:
    """What it was not made for takes another authority, for all that there was as well."""
    authority.sign(tmp_path / "a", "bank", ("bank.example",), NOW)
    first = root(tmp_path / "a")
    bounds = first.extensions.get_extension_for_class(x509.NameConstraints)
    assert bounds.critical
    assert authority.names(first) == ("bank.example",)
    assert len(bounds.value.excluded_subtrees or ()) == 2  # no address of either kind
    authority.sign(tmp_path / "a", "bank", ("api.bank.example",), NOW)
    assert root(tmp_path / "a") == first
    for other in ("notbank.example", "shop.example"):
        authority.sign(tmp_path / "a", "bank", (other,), NOW)
    assert authority.names(root(tmp_path / "a")) == ("bank.example", "notbank.example", "shop.example")
    assert root(tmp_path / "a").subject != first.subject


def test_one_with_little_time_left_is_made_anew(tmp_path: Path) -> None:
    authority.sign(tmp_path / "a", "bank", HOSTS, NOW)
    first = root(tmp_path / "a")
    authority.sign(tmp_path / "a", "bank", HOSTS, NOW + 549 * DAY_S)
    assert root(tmp_path / "a") == first
    authority.sign(tmp_path / "a", "bank", HOSTS, NOW + 551 * DAY_S)
    assert root(tmp_path / "a") != first


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    authority.sign(tmp_path / "a", "bank", HOSTS, NOW)
    (tmp_path / "a" / authority.KEPT).chmod(0o640)
    with pytest.raises(Problems, match="others than its owner"):
        authority.sign(tmp_path / "a", "bank", HOSTS, NOW)


def test_a_damaged_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    authority.sign(tmp_path / "a", "bank", HOSTS, NOW)
    kept = tmp_path / "a" / authority.KEPT
    text = kept.read_text()
    kept.write_text(text[:80] + "AAAA" + text[84:])
    with pytest.raises(Problems) as found:
        authority.sign(tmp_path / "a", "bank", HOSTS, NOW)
    assert text.splitlines()[1][:20] not in str(found.value)


def test_another_authoritys_certificate_beside_the_key_is_refused(tmp_path: Path) -> None:
    for name in "ab":
        authority.sign(tmp_path / name, "bank", HOSTS, NOW)
    kept = tmp_path / "a" / authority.KEPT
    other = (tmp_path / "b" / authority.PUBLIC).read_text()
    kept.write_text(kept.read_text().partition("-----BEGIN CERT")[0] + other)
    with pytest.raises(Problems, match="not what anden wrote"):
        authority.sign(tmp_path / "a", "bank", HOSTS, NOW)


def test_environments_that_come_up_at_once_have_one_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        signed = list(pool.map(lambda _: authority.sign(tmp_path / "a", "bank", HOSTS, NOW), range(4)))
    for each in signed:
        leaf(each).verify_directly_issued_by(root(tmp_path / "a"))


def test_a_cell_holds_the_present_one_and_forgets_the_others(tmp_path: Path) -> None:
    held = Certificates(tmp_path / "certificates")
    assert (held.file, held.public(NOW), held.due(NOW)) == (None, None, True)
    first = authority.sign(tmp_path / "a", "bank", HOSTS, NOW)
    second = authority.sign(tmp_path / "a", "bank", HOSTS, NOW + DAY_S)
    assert first is not None
    assert second is not None
    held.put(first.pem)
    held.settle(first.renew_at)
    before = held.file
    assert held.public(NOW) == public(first)
    held.put(second.pem)
    assert held.due(NOW)  # no process shows it yet
    assert held.public(NOW) is None
    held.settle(second.renew_at)
    assert held.file is not None
    assert held.file != before
    assert held.file.stat().st_mode & 0o777 == 0o600
    assert held.public(NOW) == public(second)
    assert not held.due(second.renew_at - 1)
    assert held.due(second.renew_at)
    held.sweep()
    assert [file.name for file in (tmp_path / "certificates").glob("*.pem")] == [held.file.name]
    assert Certificates(tmp_path / "certificates").public(NOW) == public(second)  # a supervisor that comes back
    held.clear()
    assert list((tmp_path / "certificates").iterdir()) == []


def test_what_is_no_certificate_is_not_put(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no certificate"):
        Certificates(tmp_path / "c").put("nothing")
