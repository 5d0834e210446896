import json
import pickle
from pathlib import Path

import apsw
import pytest

from anden.model import codec
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problems
from anden.model.secret import KEPT_VERSIONS, SecretValue, number
from anden.store import open_store
from anden.store.database import SCHEMA, connect
from anden.store.sealing_key import FILE

KEY = EnvironmentKey("bank", "dev", EngineName.LOCAL)
OTHER = EnvironmentKey("bank", "production", EngineName.LOCAL)
PLANTED = "s3cr3t-that-nobody-may-find"


def test_a_value_comes_back_whatever_it_holds(tmp_path: Path) -> None:
    odd = '-----BEGIN KEY-----\n"quoted" \\ \u00e9\u20ac\n\n'
    store = open_store(tmp_path / "anden.db")
    made = store.secrets.put(KEY, "core-token", SecretValue(odd), "ana", 7.0)
    store.close()
    again = open_store(tmp_path / "anden.db")
    assert again.secrets.value(KEY, "core-token", made.id).reveal() == odd
    assert again.secrets.held(KEY)["core-token"].versions == (made,)
    assert again.secrets.held(OTHER) == {}
    again.close()


def test_versions_count_up_and_old_ones_go_but_for_those_in_use() -> None:
    store = open_store(":memory:")
    made = [store.secrets.put(KEY, "a", SecretValue(f"value {n}"), "ana", float(n)) for n in range(KEPT_VERSIONS + 3)]
    store.secrets.prune(KEY, "a", [made[0].id])
    left = store.secrets.held(KEY)["a"].versions
    assert [number(one.id) for one in left] == [*range(KEPT_VERSIONS + 3, 3, -1), 1]
    assert store.secrets.value(KEY, "a", made[0].id).reveal() == "value 0"
    with pytest.raises(Problems, match="v2 is not there"):
        store.secrets.value(KEY, "a", made[1].id)


def test_an_id_is_not_given_twice_though_its_secret_was_removed() -> None:
    store = open_store(":memory:")
    first = store.secrets.put(KEY, "a", SecretValue("x"), "ana", 1.0)
    store.secrets.remove(KEY, "a")
    assert store.secrets.held(KEY) == {}
    assert store.secrets.put(KEY, "a", SecretValue("y"), "ana", 2.0).id != first.id
    with pytest.raises(Problems, match="none of this name"):
        store.secrets.remove(KEY, "b")


def test_nothing_beside_the_records_opens_them_and_nothing_in_them_is_plain(tmp_path: Path) -> None:
    store = open_store(tmp_path / "anden.db")
    store.secrets.put(KEY, "core-token", SecretValue(PLANTED), "ana", 7.0)
    found = [file for file in tmp_path.rglob("*") if PLANTED.encode() in file.read_bytes()]
    assert found == []
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    store.close()
    key = (tmp_path / FILE).read_text().split()[2]
    assert [file.name for file in tmp_path.rglob("*") if key.encode() in file.read_bytes()] == [FILE]


def test_records_that_are_swapped_do_not_open(tmp_path: Path) -> None:
    store = open_store(tmp_path / "anden.db")
    a = store.secrets.put(KEY, "a", SecretValue("of a"), "ana", 1.0)
    b = store.secrets.put(KEY, "b", SecretValue("of b"), "ana", 1.0)
    run = store._database.run
    rows = {name: (wrapped, body) for name, wrapped, body in run("SELECT name, wrapped, body FROM secrets")}
    for name, other in (("a", "b"), ("b", "a")):
        run("UPDATE secrets SET wrapped = ?, body = ? WHERE name = ?", (*rows[other], name))
    for name, made in (("a", a), ("b", b)):
        with pytest.raises(Problems, match="damaged or moved") as refused:
            store.secrets.value(KEY, name, made.id)
        assert "of a" not in str(refused.value)
    store.close()


def test_a_damaged_row_is_found_at_open_and_its_last_good_copy_taken(tmp_path: Path) -> None:
    file = tmp_path / "anden.db"
    store = open_store(file)
    made = store.secrets.put(KEY, "a", SecretValue("of a"), "ana", 1.0)
    store.close()
    with apsw.Connection(str(file)) as connection:
        connection.execute("UPDATE secrets SET body = 'AAAA'")
    connection.close()
    again = open_store(file)
    assert again.secrets.value(KEY, "a", made.id).reveal() == "of a"
    again.close()


def test_a_lost_key_is_said_and_never_replaced(tmp_path: Path) -> None:
    store = open_store(tmp_path / "anden.db")
    made = store.secrets.put(KEY, "a", SecretValue("of a"), "ana", 1.0)
    (tmp_path / FILE).rename(tmp_path / "elsewhere")
    for does in (
        lambda: store.secrets.value(KEY, "a", made.id),
        lambda: store.secrets.put(KEY, "b", SecretValue("x"), "ana", 2.0),
    ):
        with pytest.raises(Problems, match="which seals the secrets, is not there"):
            does()
    assert not (tmp_path / FILE).exists()
    (tmp_path / "elsewhere").rename(tmp_path / FILE)
    assert store.secrets.value(KEY, "a", made.id).reveal() == "of a"
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(Problems, match="others may read it"):
        store.secrets.value(KEY, "a", made.id)
    (tmp_path / FILE).chmod(0o600)
    (tmp_path / FILE).write_text("nonsense")
    with pytest.raises(Problems, match="cannot be read"):
        store.secrets.value(KEY, "a", made.id)
    store.close()


def test_records_of_an_earlier_version_open(tmp_path: Path) -> None:
    file = tmp_path / "anden.db"
    old = connect(str(file))
    for statements in SCHEMA[:2]:
        old.execute(statements)
    old.execute("PRAGMA user_version = 2")
    old.close()
    store = open_store(file)
    assert store.secrets.held(KEY) == {}
    store.close()


def test_a_value_shows_itself_to_nobody() -> None:
    value = SecretValue(PLANTED)
    assert PLANTED not in f"{value} {value!r} {[value]}"
    for writes in (codec.to_data, json.dumps, pickle.dumps):
        with pytest.raises(Exception, match=r".") as refused:
            writes(value)
        assert PLANTED not in str(refused.value)
