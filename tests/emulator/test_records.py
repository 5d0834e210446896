"""The client's bucket as control's store: what two operators on two machines see of each other."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.emulator import Emulator
from tests.unit.control.bench import CLIENT, ENVIRONMENT, START, TWO, manifest
from tests.unit.control.stack_world import StackWorld

from anden.cli.render.paint import Paint
from anden.cli.render.state import lines
from anden.cli.render.words import tag
from anden.control.asked import Asked
from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.aws.lock import LASTS_S, SKEW_S
from anden.engines.aws.rebuilding import rebuild
from anden.engines.aws.records import AccountRecords
from anden.engines.aws.state import State
from anden.engines.simulated import SimulatedImages, VirtualClock
from anden.model.change import ChangeState
from anden.model.command import Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problems

KEY = EnvironmentKey(CLIENT, ENVIRONMENT, EngineName.AWS)
BUCKET = "anden-banco-state"


class Operator:
    """Somebody with a machine of their own; the account is the same one for all."""

    def __init__(self, aws: Emulator, world: StackWorld, name: str, now: Callable[[], float] = time.time) -> None:
        self.name, self.world = name, world
        ids = (f"{name}-{number}" for number in itertools.count(1))
        self.store = AccountRecords(State(aws.client("s3"), BUCKET, CLIENT, now, next(ids)), lambda: next(ids), now)
        self.control = Control(world, SimulatedImages(), self.store, world._time, InlineRunner())

    def at(self, text: str | None = TWO) -> Asked:
        return Asked(CLIENT, ENVIRONMENT, Path("/nowhere"), text)

    def up(self, text: str = TWO) -> Event:
        *_, last = self.control.up(self.at(text), self.name, adopt=True)
        assert last is not None
        assert last.kind is EventKind.END
        return last


@pytest.fixture
def world(aws: Emulator) -> StackWorld:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return StackWorld(VirtualClock(START))


def test_a_second_operator_sees_the_same_target_record_and_change(aws: Emulator, world: StackWorld) -> None:
    ana, luis = Operator(aws, world, "ana"), Operator(aws, world, "luis")
    assert ana.up().outcome == Outcome.DONE
    assert luis.store.target(KEY) == ana.store.target(KEY)
    status = luis.control.status(luis.at())
    assert status.running
    assert status.matches_manifest
    assert status.change is not None
    assert status.change.state is ChangeState.VERIFIED
    assert [(each.who, each.what, each.outcome) for each in luis.store.commands(KEY)] == [("ana", "up", Outcome.DONE)]
    assert luis.up(manifest(web="web:2.0")).outcome == Outcome.DONE
    assert [each.who for each in ana.store.commands(KEY)] == ["luis", "ana"]
    assert ana.up().outcome == Outcome.DONE
    assert ana.store.verify().fault == ""
    assert ana.store.verify().entries == luis.store.verify().entries == len(ana.store.commands(KEY)) * 4


def test_of_two_at_once_the_second_is_refused_and_told_by_whom(aws: Emulator, world: StackWorld) -> None:
    ana, luis = Operator(aws, world, "ana"), Operator(aws, world, "luis")
    going = ana.control.up(ana.at(), "ana")
    next(going)
    with pytest.raises(Problems, match="somebody else is changing it; ana has held it for `up`"):
        luis.up()
    assert luis.store.commands(KEY)[0].outcome is Outcome.REFUSED
    *_, last = going
    assert last is not None
    assert last.outcome == Outcome.DONE
    assert luis.up().outcome == Outcome.DONE


def test_whoever_comes_back_too_late_changes_nothing_more(aws: Emulator, world: StackWorld) -> None:
    """Ana's machine sleeps in the middle of `up`; when the lock's time is over Luis goes on with his."""
    shift = [0.0]
    ana = Operator(aws, world, "ana")
    luis = Operator(aws, world, "luis", lambda: time.time() + shift[0])
    going = ana.control.up(ana.at(), "ana")
    next(going)
    shift[0] = LASTS_S + SKEW_S + 1
    assert luis.up(manifest(web="web:2.0")).outcome == Outcome.DONE
    his, history = luis.store.target(KEY), list(world.history)
    *_, last = going
    assert last is not None
    assert last.outcome != Outcome.DONE
    assert last.problem is not None
    assert "not ours to change any more" in last.problem.what
    assert luis.store.target(KEY) == his
    assert world.history == history
    told = {each.who: each.outcome for each in luis.store.commands(KEY)}
    assert told == {"luis": Outcome.DONE, "ana": Outcome.INTERRUPTED}


def test_a_lost_machine_loses_nothing_and_its_command_is_told_as_interrupted(aws: Emulator, world: StackWorld) -> None:
    shift = [0.0]
    ana = Operator(aws, world, "ana")
    going: Any = ana.control.up(ana.at(), "ana")
    while ana.store.target(KEY) is None:
        next(going)
    next(going)
    before = ana.store.target(KEY)
    shift[0] = LASTS_S + SKEW_S + 1
    luis = Operator(aws, world, "luis", lambda: time.time() + shift[0])
    assert luis.store.target(KEY) == before
    assert luis.up().outcome == Outcome.DONE
    assert {each.who: each.outcome for each in luis.store.commands(KEY)} == {
        "luis": Outcome.DONE, "ana": Outcome.INTERRUPTED,
    }  # fmt: skip
    assert luis.store.changes(KEY)[0].state is ChangeState.VERIFIED


def test_down_forgets_the_target_and_keeps_the_record(aws: Emulator, world: StackWorld) -> None:
    ana = Operator(aws, world, "ana")
    ana.up()
    *_, last = ana.control.down(ana.at(), "ana")
    assert last is not None
    assert last.outcome == Outcome.DONE
    assert Operator(aws, world, "luis").store.target(KEY) is None
    assert [each.what for each in ana.store.commands(KEY)] == ["down", "up"]


def test_everything_reads_back_from_the_bucket_alone(aws: Emulator, world: StackWorld) -> None:
    ana = Operator(aws, world, "ana")
    ana.up()
    ana.up(manifest(web="web:2.0"))
    found = rebuild(State(aws.client("s3"), BUCKET, CLIENT, time.time), CLIENT, f"s3://{BUCKET}")
    target = ana.store.target(KEY)
    assert target is not None
    assert [(each.environment, each.blueprint, each.changes, each.commands) for each in found.environments] == [
        (ENVIRONMENT, target.blueprint, 2, 2)
    ]
    assert (found.blueprints, found.problems) == (2, ())
    assert lines(found, Paint()) == [
        f"banco, s3://{BUCKET}, 2 blueprints",
        "ENVIRONMENT  TARGET  LATEST CHANGE  CHANGES  COMMANDS",
        f"dev          {tag(target.blueprint)}    verified       2        2",
        "✓ all of it reads back as it was written",
    ]
    aws.client("s3").delete_object(Bucket=BUCKET, Key=f"blueprints/{str(target.blueprint).replace(':', '-')}.json")
    found = rebuild(State(aws.client("s3"), BUCKET, CLIENT, time.time), CLIENT, f"s3://{BUCKET}")
    assert "is not in the bucket" in lines(found, Paint())[-1]
