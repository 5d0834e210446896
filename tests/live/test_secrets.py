"""Secrets in a real cell: handed over, kept through the death of whoever may die, rotated, and nowhere to be found."""

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from tests import leaks
from tests.live.conftest import COMMAND_LIMIT_S, ROOT, Anden

MANIFEST = """\
anden: 1
client: keepers
services:
  web:
    build: app
    port: 8080
    route: /
    instances: 2
    secrets: { CORE_TOKEN: core-token, /run/secrets/key.pem: signing-key }
  other: { build: app, port: 8080, route: /other, secrets: { CORE_TOKEN: another-token } }
"""
APP = """\
import hashlib, http.server, json, os, signal, stat
def of(text): return hashlib.sha256(text.encode()).hexdigest()
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = {"env": of(os.environ.get("CORE_TOKEN", "")), "pid": os.getpid(), "started": STARTED}
        path = "/run/secrets/key.pem"
        if os.path.exists(path):
            found = os.stat(path)
            said |= {"file": of(open(path, newline="").read()), "mode": oct(stat.S_IMODE(found.st_mode)),
                     "mine": found.st_uid == os.getuid(), "names": os.listdir("/run/secrets")}
            try:
                os.remove(path); said["removed"] = True
            except OSError:
                said["removed"] = False
        body = json.dumps(said).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
import time
STARTED = time.time()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process hears only what it asks for
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
"""
PATIENCE_S = 30.0


def of(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


@dataclass
class Keeper:
    """An environment with secrets, and all that was said about it."""

    anden: Anden
    folder: Path
    said: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def __call__(self, *words: str, value: str | None = None, fails: bool = False) -> str:
        running = subprocess.Popen(
            [sys.executable, "-m", "anden", "-C", str(self.folder), *words], env=self.anden.env, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = running.communicate(value, timeout=COMMAND_LIMIT_S)
        finally:
            running.kill()
        self.said += [out, err]
        assert (running.returncode != 0) is fails, f"{words} → {running.returncode}\n{out}\n{err}"
        return out + err

    def get(self, path: str = "/") -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urlopen(f"http://127.0.0.1:8097{path}", timeout=5) as answer:
                    return json.load(answer)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


VALUES = {
    name: f'pl4nted-{secrets.token_hex(12)}\n"{name}" \\ \u00e9\u20ac-{secrets.token_hex(12)}\n\n'
    for name in ("core-token", "signing-key", "another-token", "rotated")
}


@pytest.fixture(scope="module")
def keeper(anden: Anden) -> Iterator[Keeper]:
    folder = anden.state / "manifest"
    (folder / "app").mkdir(parents=True)
    (folder / "anden.yaml").write_text(MANIFEST)
    (folder / "app" / "app.py").write_text(APP)
    (folder / "app" / "Containerfile").write_text(
        'ARG BASE\nFROM ${BASE}\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "-u", "/app.py"]\n'
    )
    made = Keeper(anden, folder)
    assert "there is no secret core-token" in made("up", "--gateway", "127.0.0.1:8097", "--yes", fails=True)
    for name in ("core-token", "signing-key", "another-token"):
        made("secret", "set", name, "--exact", value=VALUES[name])
    made("up", "--gateway", "127.0.0.1:8097", "--yes")
    yield made
    made("down", "--yes")


def test_they_arrive_as_variables_and_as_files_of_the_instances_own(keeper: Keeper) -> None:
    said = keeper.get()
    assert said["env"] == of(VALUES["core-token"])
    assert said["file"] == of(VALUES["signing-key"])
    assert (said["mode"], said["mine"], said["names"], said["removed"]) == ("0o400", True, ["key.pem"], False)
    assert keeper.get("/other")["env"] == of(VALUES["another-token"])
    assert "file" not in keeper.get("/other")
    words = ("import hashlib,os;print(hashlib.sha256(os.environ['CORE_TOKEN'].encode()).hexdigest())",)
    assert of(VALUES["core-token"]) in keeper("exec", "web", "--", "python3", "-c", *words)


def test_an_instance_comes_back_without_control_and_after_a_new_supervisor(keeper: Keeper) -> None:
    status = json.loads(keeper("status", "--json"))
    before = {keeper.get("/other")["started"]}
    os.kill(keeper.anden.daemon("keepers"), signal.SIGKILL)
    os.kill(_outside(status["processes"]["supervisor"], keeper), signal.SIGKILL)
    _end_app(keeper)
    deadline = time.monotonic() + PATIENCE_S
    while (said := keeper.get("/other"))["started"] in before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert said["started"] not in before
    assert said["env"] == of(VALUES["another-token"])
    assert keeper.get()["file"] == of(VALUES["signing-key"])


def test_a_rotated_secret_replaces_what_uses_it_and_nothing_else(keeper: Keeper) -> None:
    other = keeper.get("/other")["started"]
    keeper("secret", "set", "core-token", "--exact", value=VALUES["rotated"])
    assert "~ web  secret core-token v1 → v2" in keeper("plan")
    assert keeper.get()["env"] == of(VALUES["core-token"])
    keeper("secret", "rotate", "core-token", "--exact", value=VALUES["rotated"])
    assert {keeper.get()["env"] for _ in range(6)} == {of(VALUES["rotated"])}
    assert keeper.get("/other")["started"] == other
    keeper("rollback")
    assert {keeper.get()["env"] for _ in range(6)} == {of(VALUES["core-token"])}
    assert "web uses it" in keeper("secret", "remove", "core-token", fails=True)


def test_what_is_refused_is_not_repeated(keeper: Keeper) -> None:
    for wrong in ("", "nul\0" + VALUES["core-token"], VALUES["core-token"] * 2_000):
        keeper("secret", "set", "core-token", value=wrong, fails=True)
    keeper("secret", "rotate", "nobody", value=VALUES["core-token"], fails=True)
    keeper("secret", "list", "--json")
    keeper("history", "--json")
    keeper("render", "-o", str(keeper.anden.state / "rendered"))


def test_nothing_of_them_is_left_anywhere(keeper: Keeper) -> None:
    keeper("logs")
    for name, value in VALUES.items():
        marks = [part for part in value.replace("\n", " ").replace("-", " ").split() if len(part) == 24]
        assert len(marks) == 2, name
        for mark in (value, *marks):
            assert leaks.in_files(mark, keeper.anden.state) == [], name
            assert leaks.in_texts(mark, keeper.said) == [], name
            assert leaks.in_command_lines(mark) == [], name


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    value = VALUES["core-token"]
    for number, form in enumerate(sorted(leaks.forms(value))):
        (tmp_path / f"{number}").write_bytes(b"x" + form + b"y")
    assert len(leaks.in_files(value, tmp_path)) == len(leaks.forms(value))


def _outside(inside: int, keeper: Keeper) -> int:
    """The machine's id of the cell's process `inside`: the supervisor's is the one under this state folder."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line, status = (entry / "cmdline").read_bytes(), (entry / "status").read_text()
            held = (entry / "root/run/anden/facts.json").read_text()
        except OSError:
            continue
        ids = next(one for one in status.splitlines() if one.startswith("NSpid:")).split()[1:]
        if b"cell.supervisor" in line and ids[-1] == str(inside) and '"keepers"' in held:
            return int(entry.name)
    raise AssertionError("no supervisor")


def _end_app(keeper: Keeper) -> None:
    """Kill the program of other-1 as the machine sees it."""
    group = next(Path("/sys/fs/cgroup").glob("*/anden/*/other-1/cgroup.procs"), None)
    assert group is not None
    for found in Path("/sys/fs/cgroup").glob("*/anden/*/other-1/cgroup.procs"):
        for pid in found.read_text().split():
            line = Path(f"/proc/{pid}/environ").read_bytes() if Path(f"/proc/{pid}").exists() else b""
            if of(VALUES["another-token"]) and VALUES["another-token"].encode() in line:
                os.kill(int(pid), signal.SIGKILL)
                return
    raise AssertionError("other-1 does not run")
