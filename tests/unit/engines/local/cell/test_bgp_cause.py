"""What is made of a BGP session, from what BIRD 2.0.12 said of one of ours and one of the other side's: bgp_logs."""

import socket
import threading
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning.devices.agreed import CORE, agreed

from anden.engines.local.cell.bgp_cause import judged
from anden.engines.local.cell.bird import Bird, Spoken, read
from anden.engines.local.render.bird import SOCKET
from anden.model.link import Session

LOGS = Path(__file__).parent / "bgp_logs"
AGREED = agreed(replace(CORE, bgp=65010))
BGP, FIRST = AGREED.bgp, AGREED.tunnels[0]
DECLARED, MORE = IPv4Network("10.20.0.0/16"), IPv4Network("10.99.0.0/16")
SAID = {
    "begun": None,
    "silent": "169.254.128.2 does not answer",
    "refused": "nobody speaks BGP at 169.254.128.2",
    "other-number": "203.0.113.10 is not AS 65010",
    "not-us": "203.0.113.10 does not take us for AS 64512",
    "missing": "10.20.0.0/16 is not announced",
    "more": "10.20.4.0/24, 10.99.0.0/16 is announced and was refused",
    "established": None,
}
CARRIES = {"established", "more"}


def spoken(name: str) -> Spoken:
    answers = (LOGS / f"{name}.txt").read_text().split("birdc> ")[1:]
    said, heard, refused = (each.split("\n", 1)[1] for each in answers)
    return read(said, heard, refused)


def its(said: Spoken | None, *, up: bool = True) -> Session:
    assert BGP is not None
    return judged(AGREED, BGP, FIRST, said, up=up)


@pytest.mark.parametrize("name", SAID)
def test_each_state_has_its_cause(name: str) -> None:
    session = its(spoken(name))
    assert (session.problem.what if session.problem else None) == SAID[name]
    assert session.carries == (name in CARRIES)
    if session.problem is not None:
        assert session.problem.where == "link core, tunnel 1, BGP"
        assert session.problem.why
        assert session.problem.fix


def test_every_log_is_asked_about() -> None:
    assert {path.stem for path in LOGS.iterdir()} == SAID.keys()


def test_part_of_what_is_declared_is_not_it_and_a_part_of_it_is_another_network() -> None:
    heard = spoken("more")
    assert heard.heard == (DECLARED,)
    assert heard.refused == (IPv4Network("10.20.4.0/24"), MORE)
    assert spoken("missing").refused == (IPv4Network("10.20.0.0/17"),)


def test_while_its_tunnel_is_down_that_one_says_why() -> None:
    for name in SAID:
        assert its(spoken(name), up=False).problem is None
    assert its(None, up=False).problem is None


def test_a_speaker_that_does_not_answer_lets_nothing_through() -> None:
    session = its(None)
    assert not session.carries
    assert session.problem is not None
    assert session.problem.what == "our speaker does not answer"


def test_too_many_routes_end_it_as_on_aws() -> None:
    many = tuple(IPv4Network((int(MORE.network_address) + 256 * at, 24)) for at in range(100))
    said = Spoken("Established", heard=(DECLARED,), refused=many)
    session = its(said)
    assert not session.carries
    assert session.problem is not None
    assert session.problem.what == "203.0.113.10 announces more than 100 routes"
    fewer = its(replace(said, refused=many[:99]))
    assert fewer.carries
    assert fewer.problem is not None
    assert fewer.problem.what.startswith("10.99.0.0/24, 10.99.1.0/24, 10.99.2.0/24, 10.99.3.0/24, 10.99.4.0/24 and 94")


@given(
    st.sampled_from(["Established", "Active", "Idle", "Connect", "OpenSent"]),
    st.lists(st.sampled_from([DECLARED, MORE, IPv4Network("10.20.0.0/17"), IPv4Network("10.0.0.0/8")]), unique=True),
    st.lists(st.sampled_from([IPv4Network("0.0.0.0/0"), IPv4Network("10.20.4.0/24")]), unique=True),
    st.booleans(),
)
def test_it_carries_with_all_that_is_declared_and_whatever_else_is_said(
    state: str, heard: list[IPv4Network], refused: list[IPv4Network], up: bool
) -> None:
    session = its(Spoken(state, "", tuple(heard), tuple(refused)), up=up)
    assert session.carries == (state == "Established" and DECLARED in heard)
    assert session.problem is None or up
    assert session.carries or session.problem is not None or not up or state in ("Active", "Idle", "OpenSent")


def test_words_that_nobody_knows_are_told_as_they_are() -> None:
    session = its(Spoken("Idle", "Received: Cease"))
    assert session.problem is not None
    assert session.problem.why == "BIRD's last words: Received: Cease"


def test_another_answer_is_none() -> None:
    with pytest.raises(OSError, match="tells of no session"):
        read("8003 No protocols match\n", "", "")


def test_an_answer_comes_in_parts_and_one_that_does_not_end_is_an_error(tmp_path: Path) -> None:
    greeting, parts = [b"0001 BIRD 2.0.12 rea", b"dy.\n"], [b"1006-  BGP state:          Act", b"ive\n     \n0000 \n"]
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(tmp_path / SOCKET))
        served.listen()

        def serve() -> None:
            for answers in (parts, parts[:1]):
                asking, _ = served.accept()
                with asking:
                    for part in greeting:
                        asking.sendall(part)
                    assert asking.recv(4096) == b"show protocols all tunnel\n"
                    for part in answers:
                        asking.sendall(part)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        assert Bird(tmp_path).session() == Spoken("Active")
        with pytest.raises(OSError, match="does not end"):
            Bird(tmp_path).session()
        serving.join(5)
    with pytest.raises(OSError, match="refused"):
        Bird(tmp_path).session()
