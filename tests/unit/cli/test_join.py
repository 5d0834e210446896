"""`anden join` before it begins, and `anden link invite` before it is asked for: every refusal at once, in words."""

import json
from dataclasses import replace
from pathlib import Path
from time import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.unit.cli.conftest import Run
from tests.unit.cli.invitations import written
from tests.unit.planning.test_credentials import CERTIFIED
from tests.unit.planning.test_invitations import INVITATION, KEYS

from anden.cli import invitation
from anden.cli.moment import duration
from anden.cli.render import join, links
from anden.cli.render.paint import PLAIN
from anden.model.invitation import Credential, Vouched
from anden.model.report import LinkConfig
from anden.model.sight import Asked, Sight, TunnelSight
from anden.planning import credentials
from anden.planning.invitations import text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, INVITATION)


def test_the_file_is_nobody_elses(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["core.invitation"]
    found, problems = invitation.read(file, time())
    assert found is not None
    assert (found.rehearsal.keys, problems) == (KEYS, [])


def test_a_certificate_that_was_issued_meanwhile_is_in_the_file_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "core.invitation"
    assert CERTIFIED.credential is not None
    asked = replace(CERTIFIED, credential=Credential("", "", CERTIFIED.credential.key))
    with invitation.writing(path, asked) as put:
        put(Vouched(CERTIFIED.credential.certificate, CERTIFIED.credential.authority))
    assert path.stat().st_mode & 0o777 == 0o600
    found, problems = invitation.read(path, CERTIFIED.made)
    assert (found, problems) == (CERTIFIED, [])
    assert "it holds a certificate, and its key, of this rehearsal" in links.invited(CERTIFIED, "f")[0]
    assert "it holds keys of this rehearsal" in links.invited(INVITATION, "f")[0]


def test_where_certificates_prove_the_sides_a_key_is_made_and_its_public_half_is_asked_for() -> None:
    agreed = LinkConfig(
        "bank", "dev", "local", "core", "", "", "", (), (), "", CERTIFIED.agreement, CERTIFIED.openings
    )  # fmt: skip
    first, second = (invitation.made(agreed, "192.0.2.10:4510", 10.0, 60.0) for _ in range(2))
    assert first.credential is not None
    private = load_pem_private_key(first.credential.key.encode(), None)
    assert isinstance(private, EllipticCurvePrivateKey)
    assert first.rehearsal.public == credentials.public(private)
    assert (first.rehearsal.keys, first.credential.certificate) == ({}, "")
    assert first.credential != second.credential
    assert first.credential.key not in f"{first} {first.rehearsal!r}"


def test_a_file_that_opens_nothing_is_not_left(file: Path) -> None:
    before = file.read_text()
    with invitation.writing(file, INVITATION):
        assert len(list(file.parent.iterdir())) == 2
    assert [each.read_text() for each in file.parent.iterdir()] == [before]


def test_what_is_wrong_with_the_file_is_said_together(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "old.invitation"
    path.write_text(text(INVITATION).replace("192.0.2.10:4510", "nowhere").replace("2026-11-27T04", "2025-11-27T04"))
    path.chmod(0o644)
    said = run("join", str(path), "--check")
    assert said.code == 1
    lines = said.err.splitlines()
    assert f"chmod 600 {path}" in lines[0]
    assert "old.invitation, expires: it ended at 2025-11-27T04:26:40Z" in said.err
    assert "old.invitation, meet: 'nowhere' is no HOST:PORT" in said.err
    assert all(value not in said.err + said.out for value in (*KEYS.values(), INVITATION.rehearsal.wire))
    assert len(json.loads(run("join", str(path), "--check", "--json").out)["problems"]) >= 3


def test_a_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    said = run("join", str(tmp_path / "none"))
    assert said.code == 1
    assert "it cannot be read" in said.err


def test_an_invitation_is_of_a_file_or_of_its_end(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    assert run("-C", str(folder), "link", "invite", "core").code == 2
    assert run("-C", str(folder), "link", "invite", "core", "-o", "x", "--end").code == 2
    assert "Say 30m, 2h or 7d" in run("-C", str(folder), "link", "invite", "core", "-o", "x", "--expires", "soon").err
    assert duration("7d") == 7 * 86_400


def test_each_change_is_a_line() -> None:
    down, up = TunnelSight(1, False), TunnelSight(1, True, 20.0)
    first, later = Sight(10.0, 10.0, False, (down,)), Sight(20.0, 10.0, True, (up,))
    asked = replace(later, asked=(Asked("100.64.10.5", "10.20.4.17:8443", 3, 21.0, 22.0),))
    assert list(join.changes(None, first, INVITATION, PLAIN)) == ["… looking for 192.0.2.10:4510"]
    assert list(join.changes(first, later, INVITATION, PLAIN)) == ["✓ 192.0.2.10:4510 is there", "✓ tunnel 1 is up"]
    assert list(join.changes(later, asked, INVITATION, PLAIN)) == ["✓ 100.64.10.5 asked 10.20.4.17:8443"]
    assert list(join.changes(later, first, INVITATION, PLAIN)) == [
        "! 192.0.2.10:4510 has fallen silent", "! tunnel 1 is down",
    ]  # fmt: skip
    assert "no tunnel of link core was up" in join.ended(first, INVITATION, PLAIN)
    assert "3 times somebody asked" in join.ended(asked, INVITATION, PLAIN)
