"""The balancer's configuration as text, and HAProxy's own opinion of it. What it does is in tests/live."""

import fcntl
import os
import re
import shlex
import shutil
import socket
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engines.local.render.sample import (
    ACCOUNTS,
    BANK,
    CASES,
    LAYOUT,
    LEDGER,
    LINKED,
    SERVERS,
    SMALLEST,
    golden,
)

from anden.engines.local.render import haproxy
from anden.model.configuration import Configuration, GatewayRoute
from anden.model.ids import Digest, InstanceId, ServiceName, ZoneName
from anden.model.instance import Instance
from anden.model.manners import TWIN

EVERY = {**CASES, **LINKED}
HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin")


@pytest.mark.parametrize("case", EVERY)
def test_golden(case: str) -> None:
    golden(f"{case}.haproxy.cfg", haproxy.config(EVERY[case], SERVERS if case in ("bank", "let-in") else ()))


@pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")
@pytest.mark.parametrize("case", EVERY)
def test_haproxy_understands_it_without_a_warning(case: str, tmp_path: Path) -> None:
    paths = tmp_path / "paths"
    paths.write_text(haproxy.health_paths(EVERY[case], SERVERS))
    file = tmp_path / "haproxy.cfg"
    file.write_text(haproxy.config(EVERY[case], SERVERS, socket=str(tmp_path / "socket"), paths=str(paths)))
    with socket.socket(fileno=fcntl.fcntl(socket.socket(), fcntl.F_DUPFD, 100)) as inherited:
        numbers = range(haproxy.GATEWAY_FD, haproxy.GATEWAY_FD + 1 + len(haproxy.listeners(EVERY[case])))
        done = subprocess.run(
            [str(HAPROXY), "-c", "-f", str(file)], capture_output=True, text=True, check=False, close_fds=False,
            preexec_fn=lambda: [os.dup2(inherited.fileno(), number) for number in numbers],
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_servers_of_unknown_services_are_left_out() -> None:
    assert haproxy.config(SMALLEST, SERVERS) == haproxy.config(SMALLEST)


def test_without_servers_it_is_the_structure_alone() -> None:
    """What an instance changes must not replace processes; what a service or route changes must."""
    moved = replace(BANK, backends=(replace(ACCOUNTS, health_path="/other", members=()), *BANK.backends[1:]))
    assert haproxy.config(moved) == haproxy.config(BANK)
    for other in (
        replace(BANK, routes=BANK.routes[1:]),
        replace(BANK, backends=BANK.backends[1:]),
        replace(BANK, backends=(replace(ACCOUNTS, timeout_s=1), *BANK.backends[1:])),
        replace(BANK, backends=(replace(ACCOUNTS, health_path=None), *BANK.backends[1:])),
    ):
        assert haproxy.config(other) != haproxy.config(BANK)


def test_each_server_is_asked_at_its_own_health_path_or_its_services() -> None:
    assert haproxy.health_paths(BANK, SERVERS) == "accounts-1 /up\naccounts-2 /health\nledger-1 /healthz\n"


def test_listeners_follow_the_gateway_and_only_named_services_have_one() -> None:
    found = haproxy.listeners(BANK)
    assert [(one.service, one.port, one.fd) for one in found] == [
        ("accounts", 8080, 11),
        ("ledger", 8080, 12),
        ("ledger", 8000, 13),  # while its port moves
        ("queue", 5672, 14),
    ]
    assert found[0].name == "name-172.30.64.4-8080"


def test_a_finished_process_ends_after_the_longest_request_that_is_allowed() -> None:
    slow = replace(SMALLEST, backends=(replace(SMALLEST.backends[0], timeout_s=900.0),))
    assert haproxy.stops_after(SMALLEST) == TWIN.idle_s + haproxy.STOP_MARGIN_S
    assert haproxy.stops_after(slow) == 900 + haproxy.STOP_MARGIN_S
    assert haproxy.stops_after(BANK) == haproxy.TCP_IDLE_S + haproxy.STOP_MARGIN_S


def test_an_instance_is_a_server_when_it_has_a_port() -> None:
    one = Instance(
        InstanceId("ledger-1"), ServiceName("ledger"), 1, ZoneName("a"), IPv4Address("172.30.128.5"),
        Digest("sha256:0"), "ledger:1", ("x",), 8080, LEDGER.protocol, health_path="/healthz",
    )  # fmt: skip
    assert haproxy.server(one) == SERVERS[0]
    assert haproxy.server(replace(one, port=None)) is None


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_any_printable_text_is_one_word(text: str) -> None:
    assert shlex.split(haproxy.quote(text)) == [text]


def test_what_no_file_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        haproxy.quote("a\nb")


SEGMENTS = st.lists(st.sampled_from(["a", "b", "ab", "a b", "it's"]), max_size=3)
PATHS = SEGMENTS.map(lambda words: "/" + "/".join(words))
HOSTS = st.sampled_from([None, "one.example", "two.example"])


@given(st.dictionaries(st.tuples(HOSTS, PATHS), st.sampled_from(["accounts", "ledger"]), max_size=6), HOSTS, PATHS)
def test_the_longest_prefix_on_a_segments_edge_wins(
    routes: dict[tuple[str | None, str], str], host: str | None, path: str
) -> None:
    """The rendered rules, read as HAProxy reads them (first match wins), give what the words say."""
    rendered = haproxy.config(
        Configuration(
            LAYOUT,
            (ACCOUNTS, LEDGER),
            routes=tuple(GatewayRoute(at, ServiceName(to), of) for (of, at), to in routes.items()),
        )
    )
    fitting = [
        (of is not None, len(at), to)
        for (of, at), to in routes.items()
        if of in (None, host) and (path + "/").startswith(at.rstrip("/") + "/")
    ]
    assert _first_match(rendered, host, path) == max(fitting, default=(False, 0, "anden:nowhere"))[2]


def _first_match(rendered: str, host: str | None, path: str) -> str:
    for goal, condition in re.findall(r"use_backend (\S+) if (.*)", rendered):
        for way in condition.split(" or "):
            terms = re.findall(r"{ (\S+) -m (\w+) ('(?:[^']|'\\'')*') }", way)
            said = {"path": path, "req.hdr(host),host_only,lower": host or ""}
            if terms and all(_holds(how, said[what], shlex.split(word)[0]) for what, how, word in terms):
                return str(goal)
    return "anden:nowhere"


def _holds(how: str, text: str, word: str) -> bool:
    return text == word if how == "str" else text.startswith(word)
