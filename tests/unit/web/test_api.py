"""The API as its callers meet it: answers, refusals, streams, and what becomes of a command whose caller has left."""

import os
import socket
import stat
import time
from typing import Any

import httpx
import pytest
from tests.unit.web.conftest import Served, at

import anden
from anden.model import codec
from anden.model.command import Command, Outcome
from anden.model.drill import Disturbed
from anden.model.event import Event, EventKind
from anden.model.fault import Outage
from anden.model.ids import EngineName
from anden.model.ports import Exec
from anden.model.problem import Problem, Problems
from anden.model.report import PlanReport, ReachReport, StatusReport
from anden.web.api.door import MOST_BODY_BYTES
from anden.web.api.table import ENDPOINTS

SETTLE_LIMIT_S = 10.0


def follow(served: Served, path: str, **body: Any) -> list[Event]:
    return [codec.from_data(Event, each) for each in served.api().stream("POST", path, {"at": at(), **body})]


def commands(served: Served) -> list[Command]:
    return [codec.from_data(Command, each) for each in served.api().request("POST", "/v1/commands", {"at": at()})]


def test_a_fault_is_put_in_and_taken_back(served: Served) -> None:
    follow(served, "/v1/up")
    api = served.api()
    body = {"at": at(), "kind": "zone", "name": "a", "outage": "frozen", "for_s": 30}
    assert codec.from_data(Disturbed, api.request("POST", "/v1/disturb", body)).name == "a"
    seen = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": at()}))
    assert [(fault.name, fault.outage) for fault in seen.faults] == [("a", Outage.FROZEN)]
    assert api.request("POST", "/v1/restore", {"at": at()}) is None
    seen = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": at()}))
    assert seen.faults == ()
    assert [each.what for each in commands(served)][:2] == ["drill restore", "drill zone a (frozen), 30 s"]
    with pytest.raises(Problems, match="kind"):
        api.request("POST", "/v1/disturb", {"at": at(), "kind": "everything"})
    with pytest.raises(Problems, match="cannot be ended by a drill"):
        api.request("POST", "/v1/disturb", {"at": at(), "kind": "control"})


def test_an_environment_from_up_to_down(served: Served) -> None:
    api = served.api()
    plan = codec.from_data(PlanReport, api.request("POST", "/v1/plan", {"at": at()}))
    assert plan.current is None
    assert plan.changes
    events = follow(served, "/v1/up")
    assert events[0].kind is EventKind.HEADING
    assert events[-1].kind is EventKind.END
    assert events[-1].outcome == Outcome.DONE
    assert codec.from_data(StatusReport, events[-1].data).running
    assert follow(served, "/v1/scale", service="web", level=2)[-1].outcome == Outcome.DONE
    assert follow(served, "/v1/deploy", service="web", image="web:1.1.0")[-1].outcome == Outcome.DONE
    assert follow(served, "/v1/rollback")[-1].outcome == Outcome.DONE
    assert follow(served, "/v1/restart", service=None)[-1].outcome == Outcome.DONE
    status = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": at()}))
    assert (status.services[0].healthy, status.services[0].image) == (2, "1.0.0")
    reach = codec.from_data(ReachReport, api.request("POST", "/v1/reach", {"at": at()}))
    assert reach.paths
    (gave,) = api.stream("POST", "/v1/exec", {"at": at(), "instance": "web", "argv": ["cat"], "stdin": "aGk="})
    done = codec.from_data(Exec, gave)
    assert done == Exec(0, "hi", "")
    lines = list(api.stream("POST", "/v1/logs", {"at": at(), "service": "web", "lines": 5, "follow": False}))
    assert lines[0]["instance"].startswith("web-")
    body = {"at": at(), "service": "web", "lines": 5, "follow": False, "since": lines[-1]["at"] + 0.001}
    assert list(api.stream("POST", "/v1/logs", body)) == []
    assert follow(served, "/v1/down")[-1].outcome == Outcome.DONE
    who = {command.who for command in commands(served)}
    assert who == {os.environ.get("SUDO_USER", "") + " (via sudo)" if os.environ.get("SUDO_USER") else _me()}


def _me() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def test_version_says_who_answers(served: Served) -> None:
    data = served.api().request("GET", "/v1/version")
    assert data["version"] == anden.__version__
    assert data["client"] == "shop"
    assert data["pid"] == os.getpid()
    assert data["busy"] is False


def test_the_socket_is_its_owners_alone(served: Served) -> None:
    assert stat.S_IMODE(served.files.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(served.files.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(served.files.token.stat().st_mode) == 0o600


def test_a_peer_is_named_by_the_kernel_and_not_by_what_it_says(served: Served) -> None:
    transport = httpx.HTTPTransport(uds=str(served.files.socket))
    headers = {"x-anden-sudo-user": "mallory", "x-forwarded-for": "unix:0", "x-anden-who": "eve"}
    with httpx.Client(transport=transport, base_url="http://anden", headers=headers) as client:
        client.post("/v1/up", json={"at": at()})
    newest = commands(served)[0].who
    assert newest == ("mallory (via sudo)" if os.getuid() == 0 else _me())


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
def test_another_user_is_refused_even_where_the_socket_lets_it_connect(served: Served) -> None:
    served.files.folder.chmod(0o755)
    served.files.socket.chmod(0o666)
    for folder in list(served.files.folder.parents)[:3]:
        folder.chmod(0o755)
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        code = 9
        try:
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(served.files.socket))
                sock.sendall(b"GET /v1/version HTTP/1.1\r\nHost: anden\r\nConnection: close\r\n\r\n")
                code = 0 if b" 403 " in sock.recv(100) else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_over_tcp_the_token_is_shown_and_the_host_is_ours(served: Served) -> None:
    ours = f"127.0.0.1:{served.port}"
    bearer = f"Bearer {served.token}"
    assert served.tcp(host=ours, authorization=bearer).status_code == 200
    assert served.tcp(host=f"localhost:{served.port}", authorization=bearer).status_code == 200
    assert served.tcp(host=ours).status_code == 401
    assert served.tcp(host=ours, authorization="Bearer wrong").status_code == 401
    assert served.tcp(host=ours, authorization=f"Basic {served.token}").status_code == 401
    rebound = served.tcp(host="evil.example", authorization=bearer)
    assert rebound.status_code == 421
    assert rebound.json()["problems"][0]["what"] == "evil.example is not this server"
    assert served.tcp("/docs", host=ours).status_code == 401
    assert served.tcp("/openapi.json", host=ours, authorization=bearer).json()["paths"]["/v1/up"]


def test_what_is_wrong_is_said_as_problems(served: Served) -> None:
    api = served.api()
    with pytest.raises(Problems) as missing:
        api.request("POST", "/v1/exec", {"at": at()})
    assert {problem.where for problem in missing.value.problems} == {"the request's instance", "the request's argv"}
    with pytest.raises(Problems, match="is not looked after here"):
        api.request("POST", "/v1/status", {"at": at(client="bank")})
    with pytest.raises(Problems, match="is not looked after here"):
        api.request("POST", "/v1/status", {"at": at(engine="local")})
    with pytest.raises(Problems, match="no such endpoint"):
        api.request("GET", "/v1/nothing")
    with pytest.raises(Problems, match="services"):
        api.request("POST", "/v1/plan", {"at": at(manifest="anden: 1\n")})
    with pytest.raises(Problems, match="not base64"):
        api.request("POST", "/v1/exec", {"at": at(), "instance": "a", "argv": ["true"], "stdin": "%"})
    with pytest.raises(Problems):
        list(api.stream("POST", "/v1/scale", {"at": at(), "service": "web", "level": 2}))
    for body, what in ((b"{", "not JSON"), (b"\xff", "not JSON"), (b"[1]", "not a JSON object"), (b"", "not JSON")):
        answer = api.http.post("/v1/status", content=body)
        assert answer.status_code == 400
        assert what in answer.json()["problems"][0]["what"]


def test_a_request_has_a_largest_size(served: Served) -> None:
    api = served.api()
    with pytest.raises(Problems, match="larger than"):
        api.request("POST", "/v1/status", {"at": at(file="x" * (MOST_BODY_BYTES + 1))})

    def pieces() -> Any:
        for _ in range(MOST_BODY_BYTES // 65536 + 2):
            yield b"x" * 65536

    assert api.http.post("/v1/status", content=pieces()).status_code == 413


def test_a_failure_of_ours_is_500_without_its_traceback(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("secret detail")

    served.control.status = fail  # type: ignore[method-assign, assignment]
    response = served.api().http.post("/v1/status", json={"at": at()})
    assert response.status_code == 500
    assert response.json()["problems"][0]["what"] == "failed in a way that it did not expect"
    assert "secret" not in response.text
    assert "secret detail" in caplog.text

    def misread(*_: object) -> Any:
        return codec.from_data(EngineName, "none of them")

    # What does not hold in our own records is no fault of the request's.
    served.control.status = misread  # type: ignore[method-assign, assignment]
    assert served.api().http.post("/v1/status", json={"at": at()}).status_code == 500


def test_a_caller_that_leaves_cancels_its_command(served: Served) -> None:
    stream = served.api().stream("POST", "/v1/up", {"at": at("web:broken")})
    assert next(stream)["kind"] == EventKind.HEADING
    assert served.api().request("GET", "/v1/version")["busy"]
    stream.close()
    deadline = time.monotonic() + SETTLE_LIMIT_S
    while commands(served)[0].outcome is Outcome.RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    newest = commands(served)[0]
    assert newest.outcome is Outcome.CANCELLED
    assert newest.detail
    assert served.activity.idle_s() > 0 or served.activity.inside <= 1


def test_of_two_commands_at_once_the_second_is_told_who_is_first(served: Served) -> None:
    stream = served.api().stream("POST", "/v1/up", {"at": at("web:broken")})
    next(stream)
    with pytest.raises(Problems, match="has been running"):
        list(served.api().stream("POST", "/v1/up", {"at": at()}))
    stream.close()


def test_a_quiet_stream_has_heartbeats(served: Served) -> None:
    follow(served, "/v1/up")
    raw = b""
    body = {"at": at(), "service": "web", "lines": 0, "follow": True}
    with served.api().http.stream("POST", "/v1/logs", json=body) as response:
        for chunk in response.iter_raw():
            raw += chunk
            if raw.count(b"\n") >= 3:
                break
    assert raw.startswith(b"\n")


def test_a_server_that_ends_ends_its_streams(served: Served) -> None:
    stream = served.api().stream("POST", "/v1/up", {"at": at("web:broken")})
    next(stream)
    served.activity.stopping.set()
    with pytest.raises(Problems):
        list(stream)


def test_a_server_that_nothing_needs_ends(served: Served) -> None:
    served.keep = False
    served.activity.since -= 60
    assert served.thread is not None
    served.thread.join(SETTLE_LIMIT_S)
    assert not served.thread.is_alive()
    assert not served.files.socket.exists()


def test_the_table_is_what_is_promised() -> None:
    paths = {(each.method, each.path) for each in ENDPOINTS}
    promised = (
        "up deploy scale rollback restart down plan status reach prove-egress prove-links logs exec commands verify"
    )
    promised += " disturb restore refused secrets secrets/put secrets/remove secrets/seal links/turn links/datacentre"
    promised += " links/config links/page links/invite"
    assert paths == {("GET", "/v1/version")} | {("POST", f"/v1/{name}") for name in promised.split()}


def test_an_answer_that_is_no_problem_is_still_told() -> None:
    from anden.web.client import refused

    assert refused(502, b"<html>")[0] == Problem("the API", "answered HTTP 502", "<html>")
