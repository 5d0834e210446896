"""What people count on from control, whatever engine is under it: life, levels, versions, records.

Asked of the engine of instances and of that of stacks in memory, and of the aws engine on the emulator with its records
in the account's bucket. The twin is asked the same in cells (tests/live). The instances' contract (test_life,
test_network, test_manners) is not asked of the aws engine; accounts.NOT_APPLICABLE says of each module why not. What is
not asked here either, because the emulator cannot answer: whether instances come to serve (it runs no container and
registers no target), `exec` and probes (there is nothing to run them in), and anything that a packet would show.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.contract.accounts import REGION
from tests.emulator import emulator
from tests.emulator.carrying import Carrying
from tests.emulator.emulator import ACCOUNT, Emulator
from tests.unit.control.stack_world import StackWorld

from anden.control.asked import Asked
from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.opening import fresh, open_account
from anden.engines.aws.render.account import bucket_name
from anden.engines.simulated import SimulatedEngine, SimulatedImages, VirtualClock
from anden.model.command import Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey
from anden.model.ports import Engine, Store, Target
from anden.model.problem import Problems
from anden.store import open_store

CLIENT = "people"
POLL_S = 0.02
TEXT = f"""anden: 1
client: {CLIENT}
region: {REGION}
services:
  web: {{ image: web:1.0, port: 8080, route: /, instances: 1..3, reaches: [api] }}
  api: {{ image: api:1.0, port: 8080 }}
"""
SMALLER = TEXT.replace(", reaches: [api]", "").replace("  api: { image: api:1.0, port: 8080 }\n", "")


@dataclass
class People:
    """Somebody's environment under control."""

    control: Control
    store: Store
    engine: Engine
    folder: Path

    def at(self, text: str | None = TEXT) -> Asked:
        return Asked(CLIENT, "dev", self.folder, text)

    @property
    def key(self) -> EnvironmentKey:
        return EnvironmentKey(CLIENT, "dev", self.engine.name)

    @property
    def target(self) -> Target:
        found = self.store.target(self.key)
        assert found is not None
        return found

    def done(self, told: Iterator[Event | None]) -> list[Event]:
        """All that a command told, which must have ended well."""
        said = [event for event in told if event is not None]
        assert said[-1].kind is EventKind.END
        assert said[-1].outcome == Outcome.DONE.value, said[-1]
        return said

    def up(self, text: str = TEXT) -> list[Event]:
        return self.done(self.control.up(self.at(text), "ana"))


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulator | None]:
    if emulator.python() is None:
        yield None
        return
    with emulator.running() as it:
        yield it


@pytest.fixture(params=["simulated", "memory", "aws"])
def people(
    request: pytest.FixtureRequest, emulated: Emulator | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[People]:
    clock = VirtualClock(1_700_000_000.0)
    engine: Engine
    if request.param == "aws":
        if emulated is None:
            pytest.skip("control over the aws engine was NOT tested: the emulator is not installed (./test does that)")
        emulated.forget()
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in emulated.variables().items():
            monkeypatch.setenv(name, value)
        emulated.client("s3").create_bucket(Bucket=bucket_name(CLIENT, ACCOUNT))
        engine = AwsEngine(clock, POLL_S, Carrying())
        found = open_account(CLIENT, fresh()).records()
        assert found is not None
        records: Store = found
        close: Callable[[], None] = found.close
    else:
        engine = SimulatedEngine(clock) if request.param == "simulated" else StackWorld(clock)
        kept = open_store(":memory:")
        records, close = kept, kept.close
    control = Control(engine, SimulatedImages(), records, clock, InlineRunner())
    try:
        yield People(control, records, engine, tmp_path)
    finally:
        control.close()
        close()


def test_from_nothing_to_nothing_and_all_of_it_is_on_record(people: People) -> None:
    assert not people.control.status(people.at()).running
    assert people.control.plan(people.at()).changes
    people.up()
    status = people.control.status(people.at())
    assert (status.running, status.matches_manifest) == (True, True)
    assert {each.name for each in status.services} == {"web", "api"}
    assert not people.control.plan(people.at()).changes
    assert "nothing to do" in people.up()[-2].text
    people.done(people.control.down(people.at(), "ana"))
    assert not people.engine.observe(people.key).present
    assert not people.control.status(people.at()).running
    assert [(each.what, each.who, each.outcome) for each in people.control.commands(people.at())][::-1] == [
        (what, "ana", Outcome.DONE) for what in ("up", "up", "down")
    ]


def test_a_version_is_deployed_beside_the_manifest_and_taken_back(people: People) -> None:
    people.up()
    first = people.target.blueprint
    people.done(people.control.deploy(people.at(), "ana", "web", "web:2.0"))
    assert people.target.deployed == {"web": "web:2.0"}
    assert people.target.blueprint is not None
    assert people.store.blueprint(people.target.blueprint).images["web"].name == "web:2.0"
    assert people.control.status(people.at()).matches_manifest is False
    people.done(people.control.rollback(people.at(), "ana"))
    assert people.target.blueprint is not None
    assert first is not None
    assert people.store.blueprint(people.target.blueprint).images == people.store.blueprint(first).images


def test_a_level_moves_within_its_range_and_changes_no_blueprint(people: People) -> None:
    people.up()
    before = people.target.blueprint
    people.done(people.control.scale(people.at(), "ana", "web", 3))
    assert people.target.levels == {"web": 3}
    assert people.target.blueprint == before
    with pytest.raises(Problems, match="3"):
        people.done(people.control.scale(people.at(), "ana", "web", 4))
    assert people.target.levels == {"web": 3}


def test_what_leaves_the_manifest_leaves_the_environment(people: People) -> None:
    people.up()
    people.up(SMALLER)
    assert {each.name for each in people.control.status(people.at(SMALLER)).services} == {"web"}
    seen = people.engine.observe(people.key)
    assert "service-api" not in {each.family for each in seen.stacks}
    assert "api" not in {each.service for each in seen.instances}


def test_another_control_plane_goes_on_from_what_is_on_record(people: People) -> None:
    people.up()
    other = replace(
        people, control=Control(people.engine, SimulatedImages(), people.store, people.control._means.clock,
                                InlineRunner())
    )  # fmt: skip
    assert other.control.status(other.at()).matches_manifest is True
    assert "nothing to do" in other.up()[-2].text
    other.control.close()


def test_rendering_is_pure_and_looking_changes_nothing(people: People) -> None:
    people.up()
    assert people.target.blueprint is not None
    blueprint = people.store.blueprint(people.target.blueprint)
    stacks = people.engine.stacks(blueprint, None, {})
    assert stacks == people.engine.stacks(blueprint, None, {})
    before = people.engine.observe(people.key)
    again = people.engine.observe(people.key)
    assert replace(again, at=before.at) == before
    assert people.engine.wait(people.key, before.version, 0.0) == before.version
