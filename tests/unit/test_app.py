"""The wiring: where state lies, which control answers, and what is refused to whom."""

import http.server
import os
import threading
from pathlib import Path

import pytest

from anden import app, connection, machine
from anden.model.ids import EngineName
from anden.model.problem import Problems

MANIFEST = "anden: 1\nregion: us-east-1\nservices:\n  web: { image: web:1.0.0, port: 8080, route: / }\n"


def at(folder: Path, engine: str) -> dict[str, object]:
    return {"client": "shop", "environment": "dev", "engine": engine, "folder": str(folder), "manifest": MANIFEST}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANDEN_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_where_state_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANDEN_STATE", str(tmp_path))
    assert machine.root() == tmp_path
    monkeypatch.delenv("ANDEN_STATE")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert machine.root() == Path("/var/lib/anden")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert machine.root() == tmp_path / "xdg" / "anden"
    monkeypatch.setenv("XDG_STATE_HOME", "relative is ignored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert machine.root() == tmp_path / ".local" / "state" / "anden"


def test_simulated_environments_last_from_one_session_to_the_next(state: Path, tmp_path: Path) -> None:
    with app.connect("shop", EngineName.SIMULATED, start=True) as session:
        ends = list(session.stream("POST", "/v1/up", {"at": at(tmp_path, "simulated")}))
        assert ends[-1]["outcome"] == "done"
        before = session.now()
    with app.connect("shop", EngineName.SIMULATED, start=False) as session:
        assert session.request("POST", "/v1/status", {"at": at(tmp_path, "simulated")})["running"]
        assert session.now() >= before
    assert (state / "shop" / "simulated" / "anden.db").is_file()


def test_one_simulated_session_at_a_time(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SIMULATION_LOCK_LIMIT_S", 0.1)
    with app.connect("shop", EngineName.SIMULATED, start=True):
        with pytest.raises(Problems, match="another"):
            app.connect("shop", EngineName.SIMULATED, start=True)
        app.connect("bank", EngineName.SIMULATED, start=True).close()
    app.connect("shop", EngineName.SIMULATED, start=True).close()


def test_a_plan_for_the_twin_needs_neither_root_nor_state(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with app.connect("shop", EngineName.LOCAL, start=False) as session:
        plan = session.request("POST", "/v1/plan", {"at": at(tmp_path, "local")})
        assert "root only" in session.note
    assert plan["current"] is None
    assert plan["differences"]
    assert not state.exists()


def test_what_runs_on_the_twin_is_for_root(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("sys.argv", ["anden", "up", "my folder"])
    for start, seen in ((True, False), (False, True)):
        with pytest.raises(Problems) as refused:
            app.connect("shop", EngineName.LOCAL, start=start, seen=seen)
        said = str(refused.value)
        assert "needs root" in said
        assert "sudo anden up 'my folder'" in said
        assert "--on simulated" in said


def test_the_twin_is_for_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert "does not run on darwin" in str(machine.lacks(tools=True)[0])
    report = machine.doctor()
    assert not report.ready


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from anden.engines.local import tools

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tools, "SYSTEM_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    said = [str(each) for each in machine.lacks(tools=True)]
    assert any(each.startswith("crun: is not installed") and "apt-get install" in each for each in said)
    assert machine.lacks(tools=False) == []


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No AWS credentials, whatever this machine has."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.mark.usefixtures("nobody", "state")
@pytest.mark.parametrize("how", [{"start": True}, {"start": False, "seen": True}])
def test_without_credentials_nothing_is_brought_up_or_seen_on_aws_and_nobody_is_asked_for_keys(
    how: dict[str, bool],
) -> None:
    with pytest.raises(Problems, match="there are no credentials") as refused:
        app.connect("shop", EngineName.AWS, **how)
    assert "aws sso login" in refused.value.problems[0].fix


@pytest.mark.usefixtures("nobody", "state")
def test_a_plan_for_aws_without_credentials_is_on_paper_and_says_so(tmp_path: Path) -> None:
    with app.connect("shop", EngineName.AWS, start=False) as session:
        assert session.note.startswith("! compared with nothing: AWS: there are no credentials")
        plan = session.request("POST", "/v1/plan", {"at": at(tmp_path, "aws")})
        assert plan["engine"] == "aws"
        assert plan["differences"]
        assert not plan["problems"]
        assert plan["steps"]


class Gateway(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204 if self.path == "/accounts" else 302)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_knock_says_the_status_and_follows_nothing() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        assert app.knock(f"{base}/accounts") == 204
        assert app.knock(f"{base}/elsewhere") == 302
        server.shutdown()
    assert app.knock(base) is None


def test_check_adds_what_a_draft_shows(tmp_path: Path) -> None:
    right = app.check(MANIFEST, tmp_path, "anden.yaml")
    assert (right.services, right.problems) == (1, ())
    text = MANIFEST + "  api: { image: api:1, port: 8080, route: /, instances: 1..4 }\n"
    assert app.check(text, tmp_path, "anden.yaml").problems


def test_check_looks_for_what_is_to_be_built(tmp_path: Path) -> None:
    text = "anden: 1\nservices:\n  web: { build: ./web, port: 8080, route: / }\n"
    assert "is not a folder" in app.check(text, tmp_path, "anden.yaml").problems[0].what
    (tmp_path / "web").mkdir()
    empty = app.check(text, tmp_path, "anden.yaml").problems[0]
    assert empty.where == "services/web/build (anden.yaml:3)"
    (tmp_path / "web" / "Containerfile").write_text("FROM scratch\n")
    assert app.check(text, tmp_path, "anden.yaml").problems == ()


def test_what_is_computed_is_from_the_manifest_whatever_runs(state: Path, tmp_path: Path) -> None:
    with app.connect("shop", EngineName.SIMULATED, start=True) as session:
        list(session.stream("POST", "/v1/up", {"at": at(tmp_path, "simulated")}))
    more = MANIFEST + "  api: { image: api:1, port: 8080 }\n"
    for engine in EngineName:
        with app.consider("shop", engine) as session:
            body = {"at": at(tmp_path, engine.value) | {"manifest": more}, "caller": None, "callee": "api"}
            paths = session.request("POST", "/v1/reach", body)["paths"]
        assert {path["caller"] for path in paths} == {"api", "web"}
