"""Whose keys hold while somebody is invited, and after; and where a machine can be met."""

import socket
import time
from pathlib import Path

import pytest

from anden.engines.local import meeting
from anden.engines.local.cell import link_files
from anden.engines.local.cell.link_files import LinkFiles, write
from anden.model import codec
from anden.model.invitation import Rehearsal
from anden.model.problem import Problems

OWN, THEIRS = {"vpn-1": "own-1-own-1"}, {"vpn-1": "rehearsed-1"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LinkFiles:
    monkeypatch.setattr(link_files, "FOLDER", tmp_path)
    found = LinkFiles(1)
    found.folder.mkdir()
    found.put_keys(OWN)
    return found


def invited(files: LinkFiles, until: float) -> None:
    write(files.invited, codec.to_json(Rehearsal("0a1b", until, "192.0.2.10:4510", THEIRS, "0f" * 32)), 0o600)


def test_the_rehearsals_keys_hold_until_it_ends_and_then_the_links_own(files: LinkFiles) -> None:
    assert files.keys() == OWN
    invited(files, time.time() + 60)
    assert files.keys() == THEIRS
    files.put_keys({"vpn-1": "own-2-own-2"})
    assert files.keys() == THEIRS, "a change of the link's own changes nothing of it"
    invited(files, time.time() - 1)
    assert files.rehearsal() is None
    assert files.keys() == {"vpn-1": "own-2-own-2"}


def test_the_rehearsals_certificate_alone_is_taken_until_it_ends(files: LinkFiles) -> None:
    assert files.expected() == ""
    for until, expected in ((time.time() + 60, "-----BEGIN"), (time.time() - 1, "")):
        one = Rehearsal("0a1b", until, "192.0.2.10:4510", {}, "0f" * 32, "public", "-----BEGIN")
        write(files.invited, codec.to_json(one), 0o600)
        assert files.expected() == expected


def test_a_damaged_one_opens_nothing(files: LinkFiles) -> None:
    write(files.invited, "{", 0o600)
    assert files.rehearsal() is None
    assert files.keys() == OWN


def test_an_address_of_another_machine_is_met_at_any_of_ours() -> None:
    with meeting.opened("127.0.0.1:0") as here, meeting.opened("192.0.2.1:0") as anywhere:
        assert here.getsockname()[0] == "127.0.0.1"
        assert anywhere.getsockname()[0] == meeting.ANYWHERE


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        meet = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Problems, match=f"UDP {meet}: nobody can be met there; Address already in use"):
            meeting.opened(meet)
