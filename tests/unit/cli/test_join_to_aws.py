"""`anden join` to a link on AWS before it begins: what it would do, whose keys it asks for, every refusal in words."""

import ast
import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import time

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.cli.invitations import written
from tests.unit.cli.test_link_config import MANIFEST
from tests.unit.planning.test_invitations_to_aws import INVITATION

from anden import app
from anden.cli import invitation, invitation_to_aws
from anden.cli.render import join, links
from anden.cli.render.paint import PLAIN
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems
from anden.model.report import LinkPage
from anden.model.sight import Sight, TunnelSight
from anden.planning import link_page

ROOT = Path(__file__).parents[3]
KEYS = {"vpn-1": "Pl4nted" + "a" * 36, "vpn-2": "Pl4nted" + "b" * 36}
Pipe = Callable[[str], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, INVITATION)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    def said(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return said


def test_the_file_is_nobody_elses_and_comes_back(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    found, problems = invitation.read(file, time())
    assert found is not None
    assert (found.key, found.agreement, problems) == (INVITATION.key, INVITATION.agreement, [])


def test_what_it_would_do_is_said_without_asking_for_a_key(run: Run, file: Path) -> None:
    lines = join.would(INVITATION, str(file))
    assert "would ask for key vpn-2, and show it nowhere" in lines
    assert (
        "admit: from the machine that joins, seen from outside as 203.0.113.10, to 198.51.100.100 and 198.51.100.101, "
        "UDP 500 and 4500, and what comes back of it"
    ) in lines
    said = run("join", str(file), "--check")
    assert "key " not in said.err


def test_what_is_wrong_with_the_file_is_said_together(run: Run, file: Path) -> None:
    file.write_text(file.read_text().replace('"page-key"', '"wire"').replace('"id": "0a1b2c3d"', '"id": ""'))
    file.chmod(0o644)
    said = run("join", str(file))
    assert said.code == 1
    for part in (f"chmod 600 {file}", "core.invitation, id: missing", "core.invitation, page-key: missing"):
        assert part in said.err
    assert "core.invitation, wire: it does not belong there" in said.err
    assert INVITATION.rehearsal.wire not in said.err + said.out


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_keys_come_in_order_a_line_each(pipe: Pipe, ending: str) -> None:
    pipe("\n".join(KEYS.values()) + ending)
    assert invitation_to_aws.with_keys(INVITATION).rehearsal.keys == KEYS


def test_one_key_of_both_tunnels_is_asked_for_once(pipe: Pipe) -> None:
    tunnels = tuple(replace(each, key="vpn") for each in INVITATION.agreement.tunnels)
    one = replace(INVITATION, agreement=replace(INVITATION.agreement, tunnels=tunnels))
    pipe(KEYS["vpn-1"] + "\n")
    assert invitation_to_aws.with_keys(one).rehearsal.keys == {"vpn": KEYS["vpn-1"]}


def test_every_key_that_is_wrong_is_named_and_none_is_repeated(pipe: Pipe) -> None:
    pipe(f"0{KEYS['vpn-1']}\n")
    with pytest.raises(Problems) as found:
        invitation_to_aws.with_keys(INVITATION)
    said = [str(each) for each in found.value.problems]
    assert said[0].startswith("key vpn-1: it is no key of a tunnel")
    assert said[1].startswith("key vpn-2: it is missing")
    assert "in order: vpn-1, vpn-2" in said[0]
    assert KEYS["vpn-1"] not in str(said)


def test_at_a_terminal_each_is_asked_for_and_none_is_shown() -> None:
    ours, terminal = os.openpty()
    code = (
        "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "from tests.unit.planning.test_invitations_to_aws import INVITATION\n"
        "from anden.cli.invitation_to_aws import with_keys\n"
        "print(dict(with_keys(INVITATION).rehearsal.keys))\n"
    )
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, start_new_session=True
    ) as asking:
        os.close(terminal)
        shown = b""
        for name, key in KEYS.items():
            while f"key {name}: ".encode() not in shown:
                shown += os.read(ours, 1024)
            os.write(ours, f"{key}\n".encode())
        out, _ = asking.communicate(timeout=20)
        with suppress(OSError):  # nobody is at the other end any more
            while more := os.read(ours, 1024):
                shown += more
    os.close(ours)
    assert ast.literal_eval(out.decode()) == KEYS
    assert not any(key.encode() in shown for key in KEYS.values())


def test_each_change_is_a_line_and_a_silence_is_told_once_with_its_cause() -> None:
    down, up = TunnelSight(1, False), TunnelSight(1, True, 20.0)
    first, later = Sight(10.0, 10.0, False, (down,)), Sight(20.0, 10.0, True, (up,))
    problem = Problem("link core, tunnel 1", "AWS does not answer at 198.51.100.100", "nothing came back", "Do it.")
    assert list(join.changes(None, first, INVITATION, PLAIN)) == [
        "… looking for AWS (198.51.100.100 and 198.51.100.101)"
    ]
    assert next(iter(join.changes(first, later, INVITATION, PLAIN))).endswith("198.51.100.101) is there")
    assert list(join.wrong((), (problem,), PLAIN)) == [
        "! link core, tunnel 1: AWS does not answer at 198.51.100.100", "  why: nothing came back", "  fix: Do it.",
    ]  # fmt: skip
    assert list(join.wrong((problem,), (problem,), PLAIN)) == []
    assert "AWS answers only who is seen from outside as that" in join.begun(INVITATION, PLAIN)[1]
    assert join.kept("core.md", INVITATION) == "core.md is the page of this side"


def test_who_invites_hears_what_to_do_with_the_file() -> None:
    assert links.invited(INVITATION, "f") == [
        "f is the invitation to link core on AWS, until 2026-11-27T04:26:40Z; no key of a tunnel is in it",
        "On a Linux machine that leaves as 203.0.113.10, as root: anden join f",
        "It asks for vpn-1, vpn-2, which their team has",
    ]


def test_a_page_of_our_side_is_signed_by_the_file_that_belongs_to_it(run: Run, file: Path, tmp_path: Path) -> None:
    written = link_page.text(link_page.Page(INVITATION.key, INVITATION.agreement, (), 1.0))
    whole = link_page.unsigned(written, EngineName.AWS)
    page = LinkPage("banco-andino", "certification", "aws", "core", 1.0, whole, False)
    assert links.signed(page) == "not signed: `--invitation FILE` signs it"
    signed = invitation_to_aws.signed(page, file)
    assert signed.signed
    path = tmp_path / "core.md"
    path.write_text(signed.text)
    assert run("join", str(file), "--verify", str(path)).code == 0
    path.write_text(signed.text.replace("198.51.100.101", "198.51.100.102"))
    assert "it was changed since it was signed" in run("join", str(file), "--verify", str(path)).err
    with pytest.raises(Problems, match="the page is of link cards"):
        invitation_to_aws.signed(replace(page, link="cards"), file)


@pytest.mark.usefixtures("shop")
def test_a_link_that_certificates_prove_is_refused_with_what_to_do(tmp_path: Path) -> None:
    at = {"client": "bank", "environment": "dev", "engine": "aws", "folder": str(tmp_path), "manifest": MANIFEST}
    with app.connect("bank", EngineName.AWS, start=False) as api, pytest.raises(Problems) as found:
        api.request("POST", "/v1/links/config", {"at": at, "name": "cards", "invites": True})
    said = str(found.value)
    assert "invitation to link cards: certificates prove this link's sides" in said
    assert "never leaves their device" in said
    assert "`anden link config cards --device DEVICE`" in said


def test_on_aws_nobody_is_met_elsewhere(run: Run, tmp_path: Path) -> None:
    (tmp_path / "anden.yaml").write_text(MANIFEST)
    said = run("-C", str(tmp_path), "link", "invite", "core", "--on", "aws", "-o", "x", "--meet", "192.0.2.1:4510")
    assert said.code == 2
    assert "--meet is the twin's" in said.err
    assert run("-C", str(tmp_path), "link", "page", "core", "--invitation", "x").code == 2
