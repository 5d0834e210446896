"""Reading `show stat`, from a sample recorded with HAProxy 2.6."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.cell.haproxy_stat import ServerStat, combine, parse, passed
from anden.model.observation import Health
from anden.model.traffic import Passed

SAMPLE = (Path(__file__).parent / "show_stat.csv").read_text()
HEALTHY, UNHEALTHY, UNKNOWN = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN


def test_the_recorded_sample() -> None:
    found = {one.id: (one.service, one.health, one.up, one.answer, one.sessions) for one in parse(SAMPLE)}
    assert found == {
        "accounts-1": ("accounts", HEALTHY, True, "HTTP 200", 1),
        "accounts-2": ("accounts", UNHEALTHY, False, "HTTP 500", 0),
        "accounts-3": ("accounts", UNHEALTHY, False, "connection refused", 0),
        "accounts-4": ("accounts", UNHEALTHY, False, "timeout", 0),
        "accounts-5": ("accounts", HEALTHY, False, "HTTP 200", 0),
        "accounts-6": ("accounts", UNKNOWN, False, "", 0),
        "shop-1": ("shop", HEALTHY, True, "connected", 0),
        "shop-2": ("shop", UNHEALTHY, False, "connection refused", 0),
    }


HEADER = "# pxname,svname,scur,status,check_status,check_code,last_chk,\n"


@pytest.mark.parametrize(
    ("row", "health", "up", "answer"),
    [
        ("UP,L7OK,200,OK", HEALTHY, True, "HTTP 200"),
        ("UP,INI,,", UNKNOWN, True, ""),
        ("UP 2/3,L7STS,500,Oops", HEALTHY, True, "HTTP 500"),
        ("UP 2/3,* L4TOUT,,", HEALTHY, True, "timeout"),
        ("DOWN,L4CON,,No route to host", UNHEALTHY, False, "No route to host"),
        ("DOWN,L7RSP,,invalid response", UNHEALTHY, False, "invalid response"),
        ("DOWN,L7OK,200,OK", UNHEALTHY, False, ""),
        ("DOWN,INI,,", UNKNOWN, False, ""),
        ("DRAIN,L7OK,200,OK", HEALTHY, False, "HTTP 200"),
        ("DRAIN,L7STS,503,x", UNHEALTHY, False, "HTTP 503"),
        ("MAINT,L7OK,200,OK", UNKNOWN, False, ""),
        ("no check,,,", UNKNOWN, True, ""),
    ],
)
def test_states(row: str, health: Health, up: bool, answer: str) -> None:
    assert parse(f"{HEADER}s,s-1,0,{row},\n") == (ServerStat("s-1", "s", health, up, answer, 0),)


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse(text)
    parse(HEADER + text)


def test_healthy_when_all_processes_say_so() -> None:
    good = ServerStat("a-1", "a", HEALTHY, True, "HTTP 200", 0)
    bad = ServerStat("a-1", "a", UNHEALTHY, False, "HTTP 500", 0)
    new = ServerStat("a-1", "a", UNKNOWN, False, "", 0)
    assert combine([good, good]) == (HEALTHY, "HTTP 200")
    assert combine([good]) == (HEALTHY, "HTTP 200")
    assert combine([good, bad]) == (UNHEALTHY, "HTTP 500")
    assert combine([new, bad]) == (UNHEALTHY, "HTTP 500")
    assert combine([good, new]) == (UNKNOWN, "")
    assert combine([]) == (UNKNOWN, "")


def test_what_passed_a_frontend() -> None:
    text = (
        "# pxname,svname,req_tot,hrsp_5xx,\nanden:gateway,FRONTEND,120,3,\nname:web:8080,FRONTEND,9,9,\n"
        "web,BACKEND,120,3,\n"
    )
    assert passed(text, "anden:gateway") == Passed(120, 3)
    assert passed("", "anden:gateway") == Passed(0, 0)
