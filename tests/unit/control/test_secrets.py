"""Secrets under control: missing ones stop a plan, a version is named by blueprints, and no value is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import leaks

from anden.control.asked import Asked
from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.control.secrets import fault, made_up
from anden.engines.simulated import SimulatedEngine, SimulatedImages, VirtualClock
from anden.model import codec
from anden.model.command import Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problems
from anden.model.secret import KEPT_VERSIONS, MOST_BYTES, PRE_SHARED_KEY, SecretValue
from anden.store import Records, open_store

TEXT = """anden: 1
client: bank
services:
  web: { image: web:1.0, port: 8080, route: /, secrets: { TOKEN: core-token, /run/secrets/key: key } }
  api: { image: api:1.0, port: 8080, route: /api }
environments:
  dev:
    links: { core: { peer: 203.0.113.20, networks: [10.21.0.0/16], secret: [vpn-1, vpn-2] } }
"""
KEY = EnvironmentKey("bank", "dev", EngineName.SIMULATED)
PLANTED = 'pl4nted "value"\nof é'


class Keeper:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Records = open_store(folder / "anden.db")
        clock = VirtualClock(1_700_000_000.0)
        self.engine = SimulatedEngine(clock, folder / "snapshot.json", secrets=self.store.secrets)
        self.control = Control(
            self.engine, SimulatedImages(), self.store, clock, InlineRunner(), secrets=self.store.secrets
        )
        self.told: list[Event] = []

    def at(self, text: str | None = TEXT) -> Asked:
        return Asked("bank", "dev", self.folder, text)

    def run(self, told: Iterator[Event | None]) -> Event:
        events = [event for event in told if event is not None]
        self.told += events
        assert events[-1].kind is EventKind.END
        return events[-1]

    def put(self, name: str, value: str | None = PLANTED, rotate: bool = False) -> Event:
        kept = None if value is None else SecretValue(value)
        return self.run(self.control.put_secret(self.at(), "ana", name, kept, 43, rotate))

    def all(self) -> None:
        for name in ("core-token", "key"):
            self.put(name)
        for name in ("vpn-1", "vpn-2"):
            self.put(name, None)

    def up(self) -> Event:
        return self.run(self.control.up(self.at(), "ana"))

    def revisions(self) -> dict[str, str]:
        return {one.id: one.revision for one in self.engine.observe(KEY).instances}


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(tmp_path)
    yield made
    made.control.close()
    made.store.close()


def test_what_is_missing_stops_a_plan_and_up_before_anything_is_made(keeper: Keeper) -> None:
    problems = keeper.control.plan(keeper.at()).problems
    assert [each.what for each in problems] == [
        f"there is no secret {n}" for n in ("core-token", "key", "vpn-1", "vpn-2")
    ]
    assert problems[0].where == "services/web/secrets (anden.yaml:4)"
    assert problems[0].fix.startswith("`anden secret set core-token -e dev --on simulated`")
    assert problems[2].why == "link core, tunnel 1 cannot rise without it"
    with pytest.raises(Problems, match="core-token"):
        keeper.up()
    assert not keeper.engine.observe(KEY).present
    assert [each.name for each in keeper.control.secrets(keeper.at()).secrets if not each.version] == [
        "core-token", "key", "vpn-1", "vpn-2"
    ]  # fmt: skip


def test_deploy_is_stopped_too(keeper: Keeper) -> None:
    keeper.all()
    keeper.up()
    before = keeper.revisions()
    keeper.store.secrets.remove(KEY, "key")
    with pytest.raises(Problems, match="there is no secret key"):
        keeper.run(keeper.control.deploy(keeper.at(), "ana", "api", "api:2.0"))
    assert keeper.revisions() == before


def test_a_rotation_replaces_what_uses_it_and_nothing_else(keeper: Keeper) -> None:
    keeper.all()
    keeper.up()
    before = keeper.revisions()
    keeper.put("core-token")
    assert keeper.revisions() == before
    (found,) = keeper.control.plan(keeper.at()).differences
    assert (found.subject, found.text) == ("web", "secret core-token v1 → v2")
    assert keeper.put("core-token", rotate=True).outcome == Outcome.DONE
    after = keeper.revisions()
    assert after["web-1"] != before["web-1"]
    assert after["api-1"] == before["api-1"]
    (line,) = [each for each in keeper.control.secrets(keeper.at()).secrets if each.name == "core-token"]
    assert (line.version, line.kept, line.used_by, line.running) == ("v3", 3, ("web",), ())


def test_going_back_takes_the_version_of_its_time_or_says_that_it_is_gone(keeper: Keeper) -> None:
    keeper.all()
    keeper.up()
    first = keeper.revisions()
    keeper.put("core-token", rotate=True)
    keeper.run(keeper.control.rollback(keeper.at(), "ana"))
    assert keeper.revisions() == first
    keeper.put("core-token", rotate=True)
    run = keeper.store._database.run
    run("DELETE FROM secrets WHERE name = 'core-token' AND number = 1")
    keeper.run(keeper.control.rollback(keeper.at(), "ana"))
    assert any("v1 is not kept any more, v3 is taken" in event.text for event in keeper.told)


def test_versions_in_use_outlive_many_rotations(keeper: Keeper) -> None:
    keeper.all()
    keeper.up()
    for _ in range(KEPT_VERSIONS + 2):
        keeper.put("core-token")
    versions = keeper.store.secrets.held(KEY)["core-token"].versions
    assert len(versions) == KEPT_VERSIONS + 1
    assert versions[-1].id.startswith("v1-")


def test_what_runs_keeps_its_secrets(keeper: Keeper) -> None:
    keeper.all()
    keeper.up()
    with pytest.raises(Problems, match="web uses it"):
        keeper.run(keeper.control.remove_secret(keeper.at(), "ana", "core-token"))
    keeper.put("spare")
    keeper.run(keeper.control.remove_secret(keeper.at(), "ana", "spare"))
    assert "spare" not in keeper.store.secrets.held(KEY)


def test_a_tunnels_key_is_one(keeper: Keeper) -> None:
    with pytest.raises(Problems, match="no key of a tunnel") as refused:
        keeper.put("vpn-1", "0starts-with-nothing")
    assert "0starts" not in str(refused.value)
    keeper.put("vpn-1", None)


@given(length=st.integers(16, 64))
def test_what_is_made_up_is_fit_for_a_tunnel(length: int) -> None:
    value = made_up(length).reveal()
    assert len(value) == length
    assert PRE_SHARED_KEY.fullmatch(value)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("9", "x", "it is not one"),
        ("a", "", "its value is empty"),
        ("a", "secret\0value", "its value holds a NUL"),
        ("a", "secret\udcffvalue", "its value is not text in UTF-8"),
        ("a", "é" * (MOST_BYTES // 2 + 1), "its value is 65,538 bytes long"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_and_not_repeated(name: str, value: str, what: str) -> None:
    found = fault(name, SecretValue(value), ())
    assert found is not None
    assert found.what == what
    assert not value or value not in str(found)


@pytest.mark.parametrize("value", ["x", "\n", "a\nb\r\n", "\"'\\", "é" * (MOST_BYTES // 2)])
def test_what_can_be_kept_is(value: str) -> None:
    assert fault("a", SecretValue(value), ()) is None


def test_no_value_is_left_anywhere(keeper: Keeper) -> None:
    keeper.all()
    keeper.up()
    keeper.put("core-token", rotate=True)
    with pytest.raises(Problems) as refused:
        keeper.put("nobody", rotate=True)
    said = [str(refused.value), *(codec.to_json(event) for event in keeper.told)]
    said += [codec.to_json(each) for each in keeper.control.commands(keeper.at())]
    said += [codec.to_json(view) for view in (
        keeper.control.plan(keeper.at()), keeper.control.status(keeper.at()), keeper.control.secrets(keeper.at())
    )]  # fmt: skip
    assert leaks.in_texts(PLANTED, said) == []
    assert leaks.in_files(PLANTED, keeper.folder) == []
    assert leaks.in_command_lines(PLANTED) == []
