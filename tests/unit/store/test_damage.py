"""Records that are damaged on their disk: found, named, restored from their last good copy, never guessed over."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.store.test_records import FIRST, KEY, OTHER, SECOND, target

from anden.model.change import Change, ChangeState
from anden.model.command import RESTORED, Command, Outcome
from anden.model.observation import Observation
from anden.model.ports import Target
from anden.model.problem import Problems
from anden.store import Records, database, good_copy, open_store, restoring
from anden.store.audit import BEGINNING, Head
from anden.store.restoring import Choice, choose
from anden.store.soundness import Found

PAGE = 4096
FILES = ("anden.db", "anden.db-wal", "anden.db.head", "anden.db.copy")


@dataclass(frozen=True)
class State:
    """Everything that was acknowledged; what anden itself recorded of a restoration stands apart."""

    targets: tuple[Target, ...]
    changes: tuple[Change, ...]
    commands: tuple[Command, ...]


def state(store: Records) -> State:
    own = [each for each in store.commands(None, most=1000) if each.what == RESTORED]
    assert all(each.who == "anden" for each in own)
    commands = tuple(each for each in store.commands(None, most=1000) if each not in own)
    for blueprint in (FIRST, SECOND):
        assert store.blueprint(blueprint.digest) == blueprint
    return State(store.targets(), (*store.changes(KEY), *store.changes(OTHER)), commands)


def whole(store: Records) -> State | None:
    """None: a blueprint is among the writes that are lost."""
    try:
        return state(store)
    except KeyError:
        return None


def work(store: Records) -> None:
    """A day's work: every table has rows, some on pages of their own."""
    store.put_blueprint(FIRST)
    store.put_blueprint(SECOND)
    for number in range(12):
        key = (KEY, OTHER)[number % 2]
        command = store.begin_command(key, "ana", f"scale web {number} " + "é" * 200, float(number))
        change = store.open_change(key, (FIRST, SECOND)[number % 3 % 2].digest, None, command.id, float(number))
        store.put_target(replace(target(FIRST, levels={"web": number}), key=key))
        store.put_observation(Observation(key, float(number), present=True, gateway="127.0.0.1:8080"))
        store.move_change(change.id, ChangeState.VERIFIED, number + 0.5, "fine", ["a line of a log"] * 5)
        store.end_command(command.id, Outcome.DONE, "", number + 0.5)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, State]:
    """Records that were closed, the same as a kill -9 leaves them (with their write-ahead log), and what they say."""
    open_one = tmp_path_factory.mktemp("kept") / "anden.db"
    killed, closed = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("closed")
    store = open_store(open_one)
    work(store)
    said = state(store)
    for name in FILES:
        shutil.copyfile(open_one.with_name(name), killed / name)
    store.close()
    for name in FILES:
        if open_one.with_name(name).exists():
            shutil.copyfile(open_one.with_name(name), closed / name)
    assert (killed / "anden.db-wal").stat().st_size > PAGE
    return closed / "anden.db", killed / "anden.db", said


def again(of: Path, folder: Path) -> Path:
    """A copy of records for one test to damage."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(of.parent, folder)
    return folder / of.name


def aside(path: Path) -> list[Path]:
    return sorted(each for each in path.parent.glob("anden.db.damaged-*") if not each.name.endswith(restoring.LOGS))


def roots() -> dict[str, int]:
    """Table or index to the page where it begins, in fresh records."""
    raw = database.connect(":memory:")
    for statements in database.SCHEMA:
        raw.execute(statements)
    return {str(name): int(str(page)) for name, page in raw.execute("SELECT name, rootpage FROM sqlite_schema")}


def flip(path: Path, at: int, bits: int = 0xFF) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= bits
    path.write_bytes(data)


# Damage of a kind.


def test_what_is_sound_is_left_alone(kept: tuple[Path, Path, State], tmp_path: Path) -> None:
    for of in kept[:2]:
        path = again(of, tmp_path / "again")
        store = open_store(path)
        assert state(store) == kept[2]
        assert (store.verify().fault, store.verify().gaps) == ("", ())
        assert len(store.commands(None, most=1000)) == len(kept[2].commands)
        assert aside(path) == []
        store.close()


def _garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all, but long enough to be one" * 200)


def _magic(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" * 99)


def _zeros(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[PAGE * 3 : PAGE * 8] = bytes(PAGE * 5)
    path.write_bytes(data)


KINDS: dict[str, Callable[[Path], object]] = {
    "a header that is not SQLite's": lambda path: flip(path, 3),
    "a page size that cannot be": lambda path: flip(path, 16),
    "a schema cookie": lambda path: flip(path, 47),
    "truncated in a page": lambda path: path.write_bytes(path.read_bytes()[: PAGE * 4 + 100]),
    "truncated between pages": lambda path: path.write_bytes(path.read_bytes()[: PAGE * 5]),
    "one page": lambda path: path.write_bytes(path.read_bytes()[:PAGE]),
    "a few bytes": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
    "garbage": _garbage,
    "nothing but the magic": _magic,
    "pages of zeros": _zeros,
}


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_moved_aside_and_the_copy_is_taken(
    kept: tuple[Path, Path, State], tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = again(kept[0], tmp_path / "again")
    KINDS[kind](path)
    before = path.read_bytes() if path.exists() else None
    store = open_store(path)
    assert state(store) == kept[2]
    if kind == "a schema cookie" and not aside(path):
        return  # SQLite reads past it, and so the records are whole
    assert [each.read_bytes() for each in aside(path)] == ([before] if before is not None else [])
    said = store.commands(KEY)[0]
    assert (said.who, said.what, said.outcome) == ("anden", "restore the records", Outcome.DONE)
    assert "nothing that was acknowledged is missing" in said.detail
    assert store.commands(OTHER)[0].detail == said.detail
    verified = store.verify()
    assert verified.fault == ""
    assert verified.gaps == (f"audit {len(kept[2].commands) * 2 + 1}: written after a gap: {said.detail}",)
    assert said.detail in caplog.text
    store.close()
    after = open_store(path)  # once is enough
    assert len([each for each in after.commands(None, most=1000) if each.what == RESTORED]) == 2
    after.close()


@pytest.mark.parametrize("table", [name for name in roots() if not name.startswith("sqlite_")])
@pytest.mark.parametrize("bits", [0x01, 0xFF])
def test_a_flip_in_a_page_of_each_table_and_index(
    kept: tuple[Path, Path, State], tmp_path: Path, table: str, bits: int
) -> None:
    for at in (3, 8, PAGE - 7, PAGE - 60):
        path = again(kept[0], tmp_path / "again")
        flip(path, (roots()[table] - 1) * PAGE + at, bits)
        with_wal = open_store(path)
        assert state(with_wal) == kept[2]
        with_wal.close()


def test_a_write_ahead_log_that_is_damaged_is_not_just_not_read(kept: tuple[Path, Path, State], tmp_path: Path) -> None:
    """SQLite takes what comes before the damage for everything there was: nothing but our own count shows it."""
    path = again(kept[1], tmp_path / "again")
    wal = path.with_name("anden.db-wal")
    flip(wal, wal.stat().st_size // 2)
    store = open_store(path)
    assert state(store) == kept[2]
    assert "its last writes are missing" in store.commands(KEY)[0].detail
    assert aside(path)[0].with_name(aside(path)[0].name + "-wal").exists()


def test_a_schema_that_is_changed_is_damage(kept: tuple[Path, Path, State], tmp_path: Path) -> None:
    path = again(kept[0], tmp_path / "again")
    data = path.read_bytes()
    assert data.count(b"'rolling-back'") == 1
    path.write_bytes(data.replace(b"'rolling-back'", b"'rolling-bock'"))
    store = open_store(path)
    assert state(store) == kept[2]
    assert "its tables are not those of the records" in store.commands(KEY)[0].detail


# When the copy does not help.


@pytest.mark.parametrize("kind", KINDS)
def test_both_damaged_stops_names_both_and_touches_neither(
    kept: tuple[Path, Path, State], tmp_path: Path, kind: str
) -> None:
    path = again(kept[0], tmp_path / "again")
    copy = good_copy.place(path)
    if kind == "a schema cookie":
        return
    KINDS[kind](path)
    KINDS[kind](copy)
    before = {each.name: each.read_bytes() for each in path.parent.iterdir() if each.name in FILES}
    with pytest.raises(Problems) as found:
        open_store(path)
    (problem,) = found.value.problems
    assert problem.where == str(path)
    assert str(copy) in problem.what
    assert "move it, anden.db.copy and anden.db.head away" in problem.fix
    assert {name: path.with_name(name).read_bytes() for name in before} == before


def test_records_that_are_gone_with_their_copy_are_not_begun_anew(
    kept: tuple[Path, Path, State], tmp_path: Path
) -> None:
    path = again(kept[0], tmp_path / "again")
    path.unlink()
    good_copy.place(path).unlink()
    with pytest.raises(Problems, match="it is not there; of the copy: it is not there"):
        open_store(path)
    path.with_name("anden.db.head").unlink()  # as the fix says
    assert open_store(path).targets() == ()


def test_an_older_copy_says_what_is_missing(kept: tuple[Path, Path, State], tmp_path: Path) -> None:
    path = again(kept[0], tmp_path / "again")
    older = good_copy.place(path).read_bytes()
    store = open_store(path)
    lost = store.begin_command(KEY, "ana", "scale web 3", 99.0)
    store.end_command(lost.id, Outcome.DONE, "", 99.5)
    store.close()
    good_copy.place(path).write_bytes(older)
    _garbage(path)
    store = open_store(path)
    assert state(store) == kept[2]
    assert "2 writes after" in store.commands(KEY)[0].detail
    assert "are missing" in store.verify().gaps[0]


# While it is open.


def test_damage_that_is_met_while_at_work_ends_the_work_and_keeps_the_older_copy(
    kept: tuple[Path, Path, State], tmp_path: Path
) -> None:
    path = again(kept[0], tmp_path / "again")
    told: list[str] = []
    store = open_store(path, lambda problem: told.append(problem.what))
    raw = apsw.Connection(str(path))
    raw.execute("UPDATE changes SET reason = 'other' WHERE id = 3")
    store.put_target(target(SECOND))  # was written; its copy is what finds out
    with pytest.raises(Problems, match="row 3 of changes is not what was written"):
        store.put_target(target(FIRST))
    assert told == ["the records are damaged"]
    store.close()
    raw.close()
    found = open_store(path)
    assert state(found) == kept[2]
    assert "1 writes after" in found.commands(KEY)[0].detail


def test_what_is_acknowledged_is_in_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "anden.db"
    store = open_store(path)
    store.put_blueprint(FIRST)
    command = store.begin_command(KEY, "ana", "up", 1.0)
    change = store.open_change(KEY, FIRST.digest, None, command.id, 1.0)
    steps: list[Callable[[], object]] = [
        lambda: store.put_target(target(FIRST)),
        lambda: store.move_change(change.id, ChangeState.VERIFIED, 2.0),
        lambda: store.end_command(command.id, Outcome.DONE, "", 3.0),
        lambda: store.forget(KEY),
    ]
    for step in steps:
        step()
        (tmp_path / "seen").mkdir()
        shutil.copyfile(good_copy.place(path), tmp_path / "seen" / "anden.db")
        seen = open_store(tmp_path / "seen" / "anden.db")
        assert seen.targets() == store.targets()
        assert seen.changes(KEY) == store.changes(KEY)
        assert [each.ended_at for each in seen.commands(KEY)] == [each.ended_at for each in store.commands(KEY)]
        seen.close()
        shutil.rmtree(tmp_path / "seen")


def test_a_copy_that_cannot_be_written_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "anden.db"
    path.with_name("anden.db.copy.new").mkdir()
    store = open_store(path)
    for number in range(3):
        store.end_command(store.begin_command(KEY, "ana", "up", 1.0).id, Outcome.DONE, str(number), 2.0)
    assert caplog.text.count("cannot be brought up to date") == 1
    path.with_name("anden.db.copy.new").rmdir()
    store.close()
    assert not good_copy.place(path).exists()
    store = open_store(path)
    assert good_copy.place(path).exists()
    store.close()


def test_a_head_that_cannot_be_written_stops_nobody_and_is_brought_up_to_date(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "anden.db"
    store = open_store(path)
    path.with_name("anden.db.head.new").mkdir()
    command = store.begin_command(KEY, "ana", "up", 1.0)
    assert "the head of the audit cannot be kept" in caplog.text
    path.with_name("anden.db.head.new").rmdir()
    store.end_command(command.id, Outcome.DONE, "", 2.0)
    assert path.with_name("anden.db.head").read_text().startswith("2 ")
    store.close()
    assert open_store(path).verify().gaps == ()


def test_the_first_version_of_the_records_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "anden.db"
    raw = database.connect(str(path))
    raw.execute(database.SCHEMA[0])
    raw.execute("PRAGMA user_version = 1")
    raw.execute(
        "INSERT INTO commands (client, environment, engine, who, what, at, outcome, detail)"
        " VALUES ('banco', 'dev', 'local', 'ana', 'up', 1.0, 'running', '')"
    )
    raw.execute("INSERT INTO targets VALUES ('banco', 'dev', 'local', NULL, '{}')")
    raw.execute("DELETE FROM targets; DELETE FROM commands")
    raw.close()
    store = open_store(path)
    work(store)
    said = state(store)
    store.close()
    _garbage(path)
    assert state(open_store(path)) == said


# Any damage.

PLACES = st.integers(0, 1 << 30)
DAMAGES = st.one_of(
    st.tuples(st.just("flip"), PLACES, st.integers(1, 255)),
    st.tuples(st.just("cut"), PLACES, st.just(0)),
    st.tuples(st.just("zero"), PLACES, st.integers(1, 3 * PAGE)),
    st.tuples(st.just("garbage"), PLACES, st.integers(1, 3 * PAGE)),
    st.tuples(st.just("grow"), PLACES, st.integers(1, 3 * PAGE)),
)


def harm(path: Path, kind: str, at: int, amount: int) -> None:
    data = bytearray(path.read_bytes())
    at %= max(len(data), 1)
    if not data:
        return
    if kind == "flip":
        data[at] ^= amount
    elif kind == "cut":
        del data[at:]
    elif kind == "grow":
        data += bytes(byte * 7 % 256 for byte in range(amount))
    else:
        piece = bytes(amount) if kind == "zero" else bytes((at + byte * 31) % 256 for byte in range(amount))
        data[at : at + amount] = piece[: len(data) - at]
    path.write_bytes(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(FILES), DAMAGES), min_size=1, max_size=3),
    st.booleans(),
)
@example([("anden.db.copy", ("cut", 0, 0)), ("anden.db-wal", ("flip", 2229016, 1))], True)
def test_no_damage_makes_a_different_record(
    kept: tuple[Path, Path, State], tmp_path: Path, damages: list[tuple[str, tuple[str, int, int]]], killed: bool
) -> None:
    """Whatever is harmed, of the records, their log, their head or their copy: they say what was acknowledged, or it
    is said that they do not."""
    path = again(kept[1] if killed else kept[0], tmp_path / "again")
    for name, (kind, at, amount) in damages:
        if path.with_name(name).exists():
            harm(path.with_name(name), kind, at, amount)
    try:
        store = open_store(path)
    except Problems:
        return
    try:
        assert whole(store) == kept[2] or store.verify().gaps
        assert store.verify().fault == ""
        for key in (KEY, OTHER):
            seen = store.observation(key)
            assert seen is None or seen.gateway == "127.0.0.1:8080"
    finally:
        store.close()


# The choice alone.

SOUND, GONE, BROKEN = Found(last=Head(4, "x", 9)), Found("it is not there", missing=True), Found("malformed")


@pytest.mark.parametrize(
    ("records", "copy", "known", "choice"),
    [
        (GONE, GONE, None, Choice.BEGIN),
        (GONE, GONE, Head(0, BEGINNING), Choice.STOP),
        (GONE, SOUND, None, Choice.RESTORE),
        (GONE, BROKEN, None, Choice.STOP),
        (BROKEN, SOUND, Head(4, "x", 9), Choice.RESTORE),
        (BROKEN, GONE, None, Choice.STOP),
        (SOUND, BROKEN, Head(4, "x", 9), Choice.USE),
        (SOUND, GONE, None, Choice.USE),
        (SOUND, Found(last=Head(4, "x", 10)), Head(4, "x", 9), Choice.USE),
        (SOUND, Found(last=Head(4, "x", 10)), Head(4, "x", 10), Choice.RESTORE),
        (SOUND, Found(last=Head(5, "x", 9)), Head(6, "x", 11), Choice.RESTORE),
        (SOUND, Found(last=Head(3, "x", 12)), Head(6, "x", 12), Choice.USE),
        (SOUND, SOUND, Head(6, "x", 12), Choice.USE),
    ],
)
def test_which_of_the_two_is_believed(records: Found, copy: Found, known: Head | None, choice: Choice) -> None:
    assert choose(records, copy, known)[0] is choice
