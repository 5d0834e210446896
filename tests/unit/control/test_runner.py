"""Threads that tick: real ones, over the simulated engine."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.control.bench import KEY, Bench, manifest

from anden.control.environment import Control
from anden.control.news import MOST_NEWS, Feed, Ticked
from anden.control.runner import LONGEST_PAUSE_S, ThreadRunner, pause
from anden.engines.simulated import SimulatedEngine, SimulatedImages, VirtualClock
from anden.model.command import Command, Outcome
from anden.model.event import Event
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.ports import Store
from anden.model.problem import Problem, Problems
from anden.store import open_store

LIMIT_S = 10.0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.endswith(f" {KEY.environment}")]


class Shared:
    """A store that others open too: held by one of them while a command of its runs."""

    def __init__(self, store: Store) -> None:
        self._store, self._held = store, set[EnvironmentKey]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def hold(self, key: EnvironmentKey, command: Command) -> None:
        self._held.add(key)

    def let_go(self, key: EnvironmentKey) -> None:
        self._held.discard(key)

    def check(self, key: EnvironmentKey) -> bool:
        return key in self._held


class Moody(SimulatedEngine):
    """Cannot be observed while it is sulking."""

    sulking = False
    looked = 0

    def observe(self, key: EnvironmentKey) -> Observation:
        self.looked += 1
        if self.sulking and threading.current_thread().name.startswith("tick"):
            raise Problems(Problem("cell", "its supervisor does not answer"))
        return super().observe(key)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench.engine = Moody(bench.clock)  # type: ignore[assignment]
    bench.control = Control(bench.engine, SimulatedImages(), bench.store, bench.clock, ThreadRunner())
    yield bench
    bench.control.close()


def test_after_its_command_a_control_plane_leaves_what_others_may_change_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    bench.engine = Moody(bench.clock)  # type: ignore[assignment]
    bench.store = Shared(bench.store)  # type: ignore[assignment]
    bench.control = Control(bench.engine, SimulatedImages(), bench.store, bench.clock, ThreadRunner())
    try:
        assert bench.up().outcome == Outcome.DONE
        until(lambda: not ours())  # nobody ticks it any more
        assert bench.up(manifest(web="web:2.0")).outcome == Outcome.DONE  # and a command's ticks come again
        bench.control._means.runner.signal(KEY)
        until(lambda: not ours())
    finally:
        bench.control.close()
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_commands_over_threads(bench: Bench) -> None:
    assert bench.up().outcome == Outcome.DONE
    assert bench.up(manifest(web="web:2.0")).outcome == Outcome.DONE
    assert bench.images()["web"] == ["web:2.0"] * 2
    assert bench.up(manifest(web="web:crashing")).outcome == Outcome.ROLLED_BACK
    assert bench.run(bench.control.scale(bench.at(), "ana", "web", 3)).outcome == Outcome.DONE
    assert len(bench.images()["web"]) == 3
    assert bench.run(bench.control.down(bench.at(), "ana")).outcome == Outcome.DONE
    until(lambda: not ours())
    assert bench.up().outcome == Outcome.DONE


def test_what_is_on_record_is_looked_after_from_the_beginning(bench: Bench) -> None:
    bench.up()
    bench.control.close()
    until(lambda: not ours())
    bench.engine.vanish(KEY)
    bench.control = Control(bench.engine, SimulatedImages(), bench.store, bench.clock, ThreadRunner())
    bench.control.begin()
    until(lambda: bench.engine.observe(KEY).present and len(bench.images().get("web", ())) == 2)


def test_a_tick_that_fails_is_tried_again_and_kills_nothing(bench: Bench) -> None:
    bench.up()
    assert isinstance(bench.engine, Moody)
    bench.engine.sulking = True
    bench.control.begin()
    looked = bench.engine.looked
    until(lambda: bench.engine.looked > looked)  # type: ignore[attr-defined]
    bench.engine.sulking = False
    bench.engine.vanish(KEY)
    until(lambda: bench.engine.observe(KEY).present)
    assert any(thread.name.startswith("tick") for thread in ours())


def test_followers_hear_why_nothing_moves(bench: Bench) -> None:
    bench.up()
    assert isinstance(bench.engine, Moody)
    told = bench.control.scale(bench.at(), "ana", "web", 3)
    next(told)
    bench.engine.sulking = True
    assert any(event is not None and "supervisor does not answer" in event.text for event in _first(told, 5))
    bench.engine.sulking = False
    assert bench.run(told).outcome == Outcome.DONE


def _first(told: Iterator[Event | None], most: int) -> list[Event | None]:
    """The next lines, until one says something."""
    found = []
    for _ in range(most):
        found.append(next(told))
        if found[-1] is not None and found[-1].sign == "!":
            break
    return found


def test_closing_ends_its_threads_and_touches_nothing(bench: Bench) -> None:
    bench.up()
    bench.control.close()
    until(lambda: not ours())
    assert bench.engine.observe(KEY).present


def test_two_commands_at_the_same_moment_one_wins(bench: Bench) -> None:
    ended: list[object] = []
    gate = threading.Barrier(2)

    def work() -> None:
        gate.wait()
        try:
            told: list[Event | None] = list(bench.control.up(bench.at(), "ana"))
            last = told[-1]
            ended.append(last.outcome if last else None)
        except Problems as found:
            ended.append(str(found))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    said = [str(each) for each in ended]
    assert said.count("done") in (1, 2), said
    if said.count("done") == 1:
        assert any("`up` by ana" in each for each in said)
    else:
        outcomes = [command.outcome for command in bench.control.commands(bench.at())]
        assert outcomes == [Outcome.DONE, Outcome.DONE], "they came one after the other"


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause(failures) for failures in range(1, 40)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 0.5
    assert pauses[-1] == LONGEST_PAUSE_S


def test_followers_hear_what_came_since_and_a_slow_one_loses_the_oldest() -> None:
    feed = Feed()
    told = [Ticked(float(at), None, None) for at in range(MOST_NEWS + 10)]
    feed.tell(told[0])
    number = feed.number
    assert feed.since(number) == ([], 1)
    feed.tell(told[1])
    assert feed.since(number) == ([told[1]], 2)
    for each in told[2:]:
        feed.tell(each)
    news, number = feed.since(0)
    assert news == told[10:]
    assert number == MOST_NEWS + 10
    feed.wait(number, 0.001)


def test_a_follower_wakes_at_once() -> None:
    feed = Feed()
    thread = threading.Timer(0.05, feed.tell, [Ticked(0.0, None, None)])
    thread.start()
    began = time.monotonic()
    feed.wait(0, LIMIT_S)
    assert time.monotonic() - began < LIMIT_S / 2
    thread.join()


def test_engines_of_other_names_are_not_looked_after() -> None:
    clock = VirtualClock(0.0)
    store = open_store(":memory:")
    runner = ThreadRunner()
    control = Control(SimulatedEngine(clock), SimulatedImages(), store, clock, runner)
    other = EnvironmentKey("banco", KEY.environment, EngineName.LOCAL)
    from anden.model.ports import Target

    store.put_target(Target(other, None, "", "", {}, {}, {}))
    control.begin()
    assert not ours()
    control.close()
