"""`anden trust` with the real `update-ca-certificates`, in folders of the test's own: never this machine's store."""

import os
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from anden.engines.local import authority, trust
from anden.engines.local.trust import Store
from anden.model.problem import Problems

HOSTS = ("api.bank.example",)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    if shutil.which("update-ca-certificates", path="/usr/sbin:/usr/bin") is None or os.geteuid():
        pytest.skip("needs root and update-ca-certificates, in folders of the test's own")
    added, made = tmp_path / "share" / "ca-certificates", tmp_path / "certs"
    for folder in (added, made, tmp_path / "theirs", tmp_path / "hooks"):
        folder.mkdir(parents=True)
    (tmp_path / "conf").write_text("# nothing of the distribution's\n")
    options = (
        "--localcertsdir", str(added), "--etccertsdir", str(made), "--hooksdir", str(tmp_path / "hooks"),
        "--certsconf", str(tmp_path / "conf"), "--certsdir", str(tmp_path / "theirs"),
    )  # fmt: skip
    return Store(added, made, options=options)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    authority.sign(authority.folder(tmp_path / "state", "bank"), "bank", HOSTS, time.time())
    return tmp_path / "state"


def everything(store: Store) -> set[str]:
    return {each.name for folder in (store.added, store.made) for each in folder.iterdir() if each != store.bundle}


def verifies(store: Store, state: Path, host: str, tmp_path: Path) -> bool:
    """What OpenSSL says of a certificate of the authority's, by the store's links."""
    signed = authority.sign(authority.folder(state, "bank"), "bank", HOSTS, time.time())
    assert signed is not None
    (tmp_path / "leaf.pem").write_text(signed.pem.partition("-----BEGIN PRIVATE")[0])
    argv = ["openssl", "verify", "-no-CAfile", "-CApath", str(store.made), "-verify_hostname", host]
    done = subprocess.run([*argv, str(tmp_path / "leaf.pem")], capture_output=True, check=False)
    return done.returncode == 0


def test_looking_changes_nothing(store: Store, state: Path) -> None:
    found = trust.look(state, "bank", store)
    assert found is not None
    assert (found.trusted, found.store, found.names, found.others) == (False, True, HOSTS, ())
    assert everything(store) == set()
    assert trust.look(state, "nobody", store) is None


def test_it_is_installed_once_and_taken_out_again(store: Store, state: Path, tmp_path: Path) -> None:
    assert not verifies(store, state, HOSTS[0], tmp_path)
    for _ in range(2):
        assert trust.install(state, "bank", store).trusted
    assert verifies(store, state, HOSTS[0], tmp_path)
    assert not verifies(store, state, "other.example", tmp_path)
    assert "PRIVATE" not in store.bundle.read_text()
    assert ssl.create_default_context(cafile=str(store.bundle)).get_ca_certs()
    (gone,) = trust.remove("bank", store)
    assert Path(gone).parent == store.added
    assert everything(store) == set()
    assert not verifies(store, state, HOSTS[0], tmp_path)
    assert trust.remove("bank", store) == ()


def test_another_authority_comes_beside_the_earlier_one(store: Store, state: Path, tmp_path: Path) -> None:
    """Gateways that were not renewed since show certificates of the earlier one."""
    first = trust.install(state, "bank", store)
    shutil.rmtree(authority.folder(state, "bank"))
    authority.sign(authority.folder(state, "bank"), "bank", HOSTS, time.time())
    found = trust.look(state, "bank", store)
    assert found is not None
    assert (found.trusted, found.others) == (False, (first.place,))
    second = trust.install(state, "bank", store)
    assert (second.trusted, second.others) == (True, (first.place,))
    assert verifies(store, state, HOSTS[0], tmp_path)
    shutil.rmtree(state)
    assert set(trust.remove("bank", store)) == {first.place, second.place}
    assert everything(store) == set()


def test_other_clients_and_what_people_added_stay(store: Store, state: Path) -> None:
    authority.sign(authority.folder(state, "bank-two"), "bank-two", HOSTS, time.time())
    theirs = trust.install(state, "bank-two", store)
    shutil.copy(theirs.certificate, store.added / "anden-bank.crt")
    trust.install(state, "bank", store)
    trust.remove("bank", store)
    assert {each.name for each in store.added.iterdir()} == {Path(theirs.place).name, "anden-bank.crt"}
    found = trust.look(state, "bank-two", store)
    assert found is not None
    assert found.trusted


def test_a_command_that_fails_leaves_no_trust(store: Store, state: Path) -> None:
    broken = Store(store.added, store.made, "false")
    with pytest.raises(Problems, match="false: failed"):
        trust.install(state, "bank", broken)
    assert everything(store) == set()


def test_an_unknown_store_is_said_and_left(tmp_path: Path, state: Path) -> None:
    strange = Store(tmp_path / "none" / "added", tmp_path / "none" / "made", "no-such-command")
    found = trust.look(state, "bank", strange)
    assert found is not None
    assert not found.store
    with pytest.raises(Problems, match="update-ca-trust"):
        trust.install(state, "bank", strange)


@pytest.mark.parametrize("client", ["../bank", "a/b", "", "-x", "bank\n"])
def test_a_client_is_no_path(store: Store, state: Path, client: str) -> None:
    for call in (trust.look, trust.install):
        with pytest.raises(Problems, match="no client's name"):
            call(state, client, store)
    with pytest.raises(Problems, match="no client's name"):
        trust.remove(client, store)
