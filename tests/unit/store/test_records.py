"""The store, on real files."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from anden.model.blueprint import Blueprint, Facts
from anden.model.change import ChangeState
from anden.model.command import Outcome
from anden.model.ids import Digest, EngineName, EnvironmentKey, ServiceName
from anden.model.image import Image
from anden.model.observation import Observation
from anden.model.ports import Store, Target
from anden.model.problem import Problem, Problems
from anden.model.report import AuditReport
from anden.model.topology import ImageSource, Service, Topology
from anden.planning.blueprint import draft
from anden.store import Records, open_store

KEY = EnvironmentKey("banco", "dev", EngineName.LOCAL)
OTHER = EnvironmentKey("banco", "production", EngineName.LOCAL)


def blueprint(version: str) -> Blueprint:
    service = Service(ServiceName("web"), ImageSource(f"web:{version}"), port=8080)
    images = {"web": Image(f"web:{version}", Digest("sha256:" + version.replace(".", "") * 20))}
    return draft(Topology("banco", "dev", (service,)), images, Facts(), None)


FIRST, SECOND = blueprint("1.0"), blueprint("2.0")


def target(of: Blueprint | None, **fields: Any) -> Target:
    digest = of.digest if of else None
    return replace(Target(KEY, digest, "/srv/banco", "127.0.0.1:8080", {}, {}, {}), **fields)


@pytest.fixture
def store(tmp_path: Path) -> Records:
    return open_store(tmp_path / "state" / "anden.db")


def test_it_is_the_store_of_the_ports(store: Records) -> None:
    kept: Store = store
    assert kept.targets() == ()


def test_everything_comes_back_as_it_was_put_also_after_opening_again(tmp_path: Path) -> None:
    store = open_store(tmp_path / "anden.db")
    store.put_blueprint(FIRST)
    store.put_blueprint(FIRST)
    wished = target(FIRST, levels={"web": 2}, generations={"web": 1}, deployed={"web": "web:2.0"}, marks='{"a":1}')
    store.put_target(wished)
    command = store.begin_command(KEY, "ana", "up", 10.0)
    change = store.open_change(KEY, FIRST.digest, None, command.id, 11.0)
    change = store.move_change(change.id, ChangeState.VERIFIED, 12.0, "fine", ["a line"])
    ended = store.end_command(command.id, Outcome.DONE, "", 13.0)
    seen = Observation(KEY, 14.0, present=True, configuration=FIRST.digest, gateway="127.0.0.1:8080", version=3)
    store.put_observation(seen)
    store.close()

    again = open_store(tmp_path / "anden.db")
    assert again.blueprint(FIRST.digest) == FIRST
    assert again.target(KEY) == wished
    assert again.targets() == (wished,)
    assert again.changes(KEY) == (change,)
    assert again.commands(KEY) == (ended,)
    assert again.commands(None) == (ended,)
    assert again.observation(KEY) == seen
    assert again.verify().fault == ""


def test_what_is_not_there(store: Records) -> None:
    assert store.target(KEY) is None
    assert store.observation(KEY) is None
    assert store.changes(KEY) == ()
    assert store.commands(KEY) == ()
    with pytest.raises(KeyError):
        store.blueprint(FIRST.digest)


def test_a_blueprint_that_nobody_put_cannot_be_a_target(store: Records) -> None:
    with pytest.raises(apsw.ConstraintError):
        store.put_target(target(FIRST))
    assert store.target(KEY) is None


def test_forgetting_keeps_the_record(store: Records) -> None:
    store.put_blueprint(FIRST)
    store.put_target(target(FIRST))
    store.put_observation(Observation(KEY, 1.0, present=True))
    command = store.begin_command(KEY, "ana", "down", 1.0)
    store.open_change(KEY, FIRST.digest, None, command.id, 1.0)
    store.forget(KEY)
    assert store.target(KEY) is None
    assert store.observation(KEY) is None
    assert len(store.commands(KEY)) == len(store.changes(KEY)) == 1


def test_opening_a_change_supersedes_the_open_one_of_that_key_only(store: Records) -> None:
    store.put_blueprint(FIRST)
    store.put_blueprint(SECOND)
    command = store.begin_command(KEY, "ana", "up", 1.0)
    elsewhere = store.open_change(OTHER, FIRST.digest, None, command.id, 1.0)
    store.open_change(KEY, FIRST.digest, None, command.id, 1.0)
    store.open_change(KEY, SECOND.digest, FIRST.digest, command.id, 2.0)
    assert [change.state for change in store.changes(KEY)] == [ChangeState.APPLYING, ChangeState.SUPERSEDED]
    assert store.changes(OTHER) == (elsewhere,)
    assert store.changes(KEY, most=1)[0].target == SECOND.digest


def test_a_change_keeps_why_and_does_not_leave_its_end(store: Records) -> None:
    store.put_blueprint(FIRST)
    command = store.begin_command(KEY, "ana", "up", 1.0)
    change = store.open_change(KEY, FIRST.digest, None, command.id, 1.0)
    store.move_change(change.id, ChangeState.ROLLING_BACK, 2.0, "HTTP 500", ("line",))
    ended = store.move_change(change.id, ChangeState.ROLLED_BACK, 3.0)
    assert (ended.reason, ended.evidence, ended.updated_at) == ("HTTP 500", ("line",), 3.0)
    with pytest.raises(ValueError, match="has ended"):
        store.move_change(change.id, ChangeState.APPLYING, 4.0)


def test_a_command_ends_once(store: Records) -> None:
    command = store.begin_command(KEY, "ana", "up", 1.0)
    store.end_command(command.id, Outcome.DONE, "", 2.0)
    with pytest.raises(ValueError, match="has ended"):
        store.end_command(command.id, Outcome.FAILED, "", 3.0)


def test_commands_of_a_dead_control_plane_are_interrupted(tmp_path: Path) -> None:
    store = open_store(tmp_path / "anden.db")
    store.begin_command(KEY, "ana", "up", 1.0)
    store.close()
    found = open_store(tmp_path / "anden.db")
    assert [command.outcome for command in found.commands(KEY)] == [Outcome.INTERRUPTED]
    assert found.verify().fault == ""


def test_nobody_else_reads_the_file(tmp_path: Path) -> None:
    open_store(tmp_path / "deep" / "anden.db").close()
    assert (tmp_path / "deep" / "anden.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "deep").stat().st_mode & 0o077 == 0


def test_many_threads_write_at_once(store: Records) -> None:
    def work(name: str) -> None:
        for at in range(20):
            command = store.begin_command(KEY, name, "scale", float(at))
            store.put_observation(Observation(KEY, float(at), present=True, version=at))
            store.end_command(command.id, Outcome.DONE, "", float(at))

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.commands(KEY, most=1000)) == 80
    assert store.verify().entries == 160
    assert store.verify().fault == ""


def test_a_transaction_that_fails_leaves_nothing(store: Records) -> None:
    store.put_blueprint(FIRST)
    command = store.begin_command(KEY, "ana", "up", 1.0)
    first = store.open_change(KEY, FIRST.digest, None, command.id, 1.0)
    with pytest.raises(apsw.ConstraintError):
        store.open_change(KEY, Digest("sha256:unknown"), None, command.id, 2.0)
    assert store.changes(KEY) == (first,)


# Damage.


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anden.db"
    open_store(path).close()
    raw = apsw.Connection(str(path))
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(Problems, match="newer anden"):
        open_store(path)


def test_a_blueprint_that_is_changed_under_way_is_not_believed_and_nothing_more_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "anden.db"
    told: list[Problem] = []
    before = open_store(path)
    before.put_blueprint(FIRST)
    before.close()  # a blueprint alone is copied in a moment of its own: closed, it is in the last good copy
    store = open_store(path, told.append)
    _sql(path, "UPDATE blueprints SET data = replace(data, '8080', '9090')")
    with pytest.raises(Problems, match="another digest"):
        store.blueprint(FIRST.digest)
    with pytest.raises(Problems, match="Nothing more is recorded"):
        store.begin_command(KEY, "ana", "up", 1.0)
    assert [problem.what for problem in told] == ["the records are damaged"]
    store.close()
    assert open_store(path).blueprint(FIRST.digest) == FIRST


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "anden.db"
    path.mkdir()
    with pytest.raises(Problems) as found:
        open_store(path)
    assert found.value.problems[0].where == str(path)


# The audit.


def _sql(path: Path, statement: str) -> None:
    raw = apsw.Connection(str(path))
    raw.execute(statement)
    raw.close()


@pytest.fixture
def audited(tmp_path: Path) -> Path:
    path = tmp_path / "anden.db"
    store = open_store(path)
    for number in range(5):
        command = store.begin_command(KEY, "ana", f"scale web {number}", float(number))
        store.end_command(command.id, Outcome.DONE, "", number + 0.5)
    assert store.verify().entries == 10
    store.close()
    return path


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE audit SET entry = replace(entry, 'ana', 'bob') WHERE number = 3", "audit 3: not what was written"),
        ("UPDATE audit SET hash = 'x' WHERE number = 4", "audit 4: not what was written"),
        ("DELETE FROM audit WHERE number = 6", "audit 6: missing"),
        ("UPDATE commands SET who = 'bob' WHERE id = 2", "command 2: not what the audit says of it"),
        ("DELETE FROM commands WHERE id = 5", "command 5: not what the audit says of it"),
        (
            "INSERT INTO commands SELECT 99, client, environment, engine, who, what, at, outcome, ended_at, detail,"
            " seal FROM commands WHERE id = 1",
            "command 99: not what the audit says of it",
        ),
    ],
)
def test_tampering_is_found_and_named(audited: Path, tampering: str, fault: str) -> None:
    store = open_store(audited)
    _sql(audited, tampering)
    assert store.verify().fault == fault
    store.close()
    restored = open_store(audited)
    assert restored.verify().fault == ""
    assert restored.verify().gaps[0].startswith("audit 11: written after a gap: damaged (")
    assert [command.who for command in restored.commands(KEY)] == ["anden", *["ana"] * 5]


def test_rows_cut_off_at_the_end_are_brought_back(audited: Path) -> None:
    _sql(audited, "DELETE FROM audit WHERE number > 8; DELETE FROM commands WHERE id = 5")
    store = open_store(audited)
    assert store.commands(KEY)[1].what == "scale web 4"
    assert "its last writes are missing" in store.verify().gaps[0]


def test_rows_cut_off_at_the_end_are_said_where_there_is_no_copy_also_when_work_went_on(audited: Path) -> None:
    audited.with_name("anden.db.copy").unlink()
    _sql(audited, "DELETE FROM audit WHERE number > 8; DELETE FROM commands WHERE id = 5")
    store = open_store(audited)
    said = "audit 9: written after a gap: the head named entry 10, which was not there"
    assert store.verify().gaps == (said,)
    store.begin_command(KEY, "ana", "up", 9.0)
    assert store.verify() == AuditReport(10, "", (said,))
    _sql(audited, "UPDATE audit SET hash = 'x' WHERE number = 10")
    assert store.verify().fault == "audit 10: not what was written"


def test_a_head_that_was_removed_is_said(audited: Path) -> None:
    audited.with_name("anden.db.head").unlink()
    assert "the head's file was missing" in open_store(audited).verify().gaps[0]


def test_a_head_that_lags_one_write_behind_is_no_fault(audited: Path) -> None:
    """The machine stopped between the transaction and the head's file."""
    head = audited.with_name("anden.db.head")
    before = head.read_text()
    store = open_store(audited)
    store.begin_command(KEY, "ana", "up", 9.0)
    store.close()
    head.write_text(before)
    again = open_store(audited)
    assert (again.verify().fault, again.verify().gaps) == ("", ())
    assert json.loads(json.dumps(head.read_text())) != before
