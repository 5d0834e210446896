"""A cell's life: it comes up, outlives its parts, and ends with its keeper."""

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.live.cell_world import (
    Cell,
    Configure,
    Range,
    StartInstance,
    StopInstance,
    cell,
    configure,
    left_of,
    service,
)

from anden.engines.local.cell import steady
from anden.model.observation import Health, InstanceState

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def bank() -> Iterator[Cell]:
    with cell() as made:
        made.up(service(instances=Range(2, 2), stop_s=3.0))
        yield made


def test_answers_at_the_gateway(bank: Cell) -> None:
    assert {bank.get() for _ in range(20)} == {"web-1", "web-2"}


def test_an_instance_that_is_killed_is_restarted_in_place(bank: Cell) -> None:
    before, pid = bank.see(), bank.program()
    os.kill(pid, signal.SIGKILL)
    after = bank.until(
        lambda seen: any(one.id == "web-1" and one.restarts > before.restarts and one.serving for one in seen.instances)
    ).instance("web-1")
    assert after is not None
    assert after.exit is not None
    assert (after.exit.code, after.exit.out_of_memory) == (-signal.SIGKILL, False)
    assert (after.since, after.revision, after.address) == (before.since, before.revision, before.address)
    assert bank.program() != pid


def test_the_exit_code_is_seen_and_the_gateway_answers_meanwhile(bank: Cell) -> None:
    pid = bank.program("web-1")
    os.kill(pid, signal.SIGTERM)  # the server exits with 0 by itself
    bank.until(lambda seen: (one := seen.instance("web-1")) is not None and one.exit is not None and one.exit.code == 0)
    assert bank.get() in {"web-1", "web-2"}
    bank.until(lambda seen: all(one.serving for one in seen.instances))


def test_the_supervisor_comes_back_and_touches_nothing(bank: Cell) -> None:
    bank.until(lambda seen: all(one.serving for one in seen.instances))
    before = bank.engine.observe(bank.key)
    programs = [bank.program("web-1"), bank.program("web-2")]
    (old,) = bank.pids("cell.supervisor")
    os.kill(old, signal.SIGKILL)
    assert bank.get() in {"web-1", "web-2"}
    after = bank.engine.observe(bank.key)  # waits for the one that comes back
    (new,) = bank.pids("cell.supervisor")
    assert new != old
    assert [bank.program("web-1"), bank.program("web-2")] == programs
    assert [(one.id, one.restarts, one.since, one.health) for one in after.instances] == [
        (one.id, one.restarts, one.since, Health.HEALTHY) for one in before.instances
    ]
    assert after.configuration == before.configuration
    assert after.version > before.version


def test_what_ended_while_there_was_no_supervisor_is_learnt(bank: Cell) -> None:
    before = bank.see()
    (supervisor,) = bank.pids("cell.supervisor")
    program = bank.program()
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(program, signal.SIGKILL)
    time.sleep(0.1)
    os.kill(supervisor, signal.SIGKILL)
    bank.until(lambda seen: (one := seen.instance("web-1")) is not None and one.restarts == before.restarts + 1)
    bank.until(lambda seen: all(one.serving for one in seen.instances))
    last = bank.see().exit
    assert last is not None
    assert last.code == -signal.SIGKILL


def test_ages_stay_true_when_the_clock_is_set(bank: Cell) -> None:
    """No test sets the machine's clock. For a cell it is the same when its own beginning is noted an hour late."""
    facts = Path(f"/proc/{bank.init()}/root/run/anden/facts.json")
    noted = json.loads(facts.read_text())
    before = bank.see()
    try:
        facts.write_text(json.dumps({**noted, steady.OFFSET: noted[steady.OFFSET] + 3600}))
        (supervisor,) = bank.pids("cell.supervisor")
        os.kill(supervisor, signal.SIGKILL)
        after = bank.see()
        assert after.since == pytest.approx(before.since - 3600, abs=1)
    finally:
        facts.write_text(json.dumps(noted))
        (supervisor,) = bank.pids("cell.supervisor")
        os.kill(supervisor, signal.SIGKILL)
    seen = bank.until(lambda seen: all(one.serving for one in seen.instances))
    assert seen.instances[0].since == before.since


def test_wait_returns_at_a_change_and_not_before(bank: Cell) -> None:
    bank.until(lambda seen: all(one.serving for one in seen.instances))
    time.sleep(0.3)
    version = bank.engine.observe(bank.key).version
    began = time.monotonic()
    assert bank.engine.wait(bank.key, version, 0.5) == version
    assert time.monotonic() - began >= 0.45
    os.kill(bank.program(), signal.SIGKILL)
    began = time.monotonic()
    assert bank.engine.wait(bank.key, version, 10.0) > version
    assert time.monotonic() - began < 2.0
    bank.until(lambda seen: all(one.serving for one in seen.instances))


def test_steps_that_were_done_are_done_again_without_effect(bank: Cell) -> None:
    bank.until(lambda seen: all(one.serving for one in seen.instances))
    programs = [bank.program("web-1"), bank.program("web-2")]
    bank.up(service(instances=Range(2, 2), stop_s=3.0))
    bank.do(StopInstance("web-9", 0, 0))  # type: ignore[arg-type]
    assert [bank.program("web-1"), bank.program("web-2")] == programs


def test_another_revision_waits_for_its_slot(bank: Cell) -> None:
    (first, *_) = bank.up(service(instances=Range(2, 2), stop_s=3.0))
    (receipt,) = bank.try_(StartInstance(replace(first, generation=7)))
    assert receipt.problem is not None
    assert "another revision" in str(receipt.problem)


def test_an_instance_drains_before_it_stops(bank: Cell) -> None:
    (first, *_) = bank.up(service(instances=Range(2, 2), stop_s=3.0))
    answers: list[str] = []
    slow = [threading.Thread(target=lambda: answers.append(bank.get("/slow/1.0"))) for _ in range(4)]
    for thread in slow:
        thread.start()
    time.sleep(0.3)  # of two requests in one balancer process, each is in another instance; there are two processes
    began = time.monotonic()
    bank.do(StopInstance(first.id, 10.0, 3.0))
    took = time.monotonic() - began
    for thread in slow:
        thread.join()
    assert (len(answers), set(answers)) == (4, {"web-1", "web-2"})
    assert 0.4 < took < 5.0
    assert bank.engine.observe(bank.key).instance("web-1") is None
    said = [line.text for line in bank.engine.logs(bank.key, "web-1", 1, follow=False) if line is not None]
    assert said == ["leaving"]
    bank.up(service(instances=Range(2, 2), stop_s=3.0))


def test_one_that_cannot_be_started_is_tried_again_and_says_why(bank: Cell) -> None:
    (first, *_) = bank.up(service(instances=Range(2, 2), stop_s=3.0))
    bank.do(StopInstance(first.id, 0.0, 1.0))
    bank.do(StartInstance(replace(first, argv=("/no/such/program",))))
    seen = bank.until(lambda seen: (one := seen.instance("web-1")) is not None and one.restarts >= 2).instance("web-1")
    assert seen is not None
    assert (seen.state, seen.health, seen.ever_healthy) == (InstanceState.RESTARTING, Health.UNHEALTHY, False)
    assert "/no/such/program" in " ".join(seen.tail)
    bank.do(StopInstance(first.id, 0.0, 1.0), StartInstance(first))
    bank.until(lambda seen: all(one.serving for one in seen.instances))


def test_a_balancer_process_that_is_killed_is_replaced(bank: Cell) -> None:
    before = bank.pids("haproxy")
    os.kill(before[0], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while len(set(bank.pids("haproxy")) - {before[0]}) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert bank.get() in {"web-1", "web-2"}


def test_everything_ends_with_the_keeper_and_is_brought_back() -> None:
    with cell() as made:
        made.up(service())
        keeper = made.place.keeper()
        assert keeper is not None
        below = [pid for pid in made.pids("") if pid != keeper]
        assert len(below) >= 5
        version = made.engine.observe(made.key).version
        os.kill(keeper, signal.SIGKILL)
        assert made.engine.wait(made.key, version, 5.0) > version
        deadline = time.monotonic() + 5
        while [pid for pid in below if Path(f"/proc/{pid}").exists()]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        seen = made.engine.observe(made.key)
        assert (seen.present, seen.absent_reason) == (False, "its keeper died")
        made.up(service())
        assert made.get() == "web-1"


def test_a_cell_whose_init_died_says_so_and_starts_again() -> None:
    with cell() as made:
        made.up(service())
        keeper = made.place.keeper()
        init = next(pid for pid in made.pids("cell.keeper") if pid != keeper)
        os.kill(init, signal.SIGKILL)
        seen = made.until(lambda seen: not seen.present)
        assert seen.absent_reason == "its init died"
        made.up(service())


def test_remove_leaves_nothing() -> None:
    with cell() as made:
        made.up(service(instances=Range(3, 3)))
        made.down()
        assert left_of(made) == []
        assert not made.engine.observe(made.key).present
        made.down()  # and once more is no error


def test_a_stop_waits_for_a_start_that_is_under_way() -> None:
    with cell() as made:
        (instance,) = made.up(service())
        for pause_s in (0.0, 0.005, 0.01, 0.015, 0.02, 0.03):
            made.do(StopInstance(instance.id, 0.0, 0.1))
            starting = threading.Thread(target=made.try_, args=[StartInstance(instance)])
            starting.start()
            time.sleep(pause_s)
            made.do(StopInstance(instance.id, 0.0, 0.1))
            starting.join()
            if made.engine.observe(made.key).instances == ():  # the stop came second
                assert made.pids("/server.py") == [], pause_s
                assert not list(Path(f"/proc/{made.init()}/root/run/anden/bundles").iterdir()), pause_s


def test_descriptors_are_not_those_of_whoever_started_it() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with cell() as made:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            made.do(Configure(configure(made.blueprint(service()), None, ())))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for pid in (made.init(), *made.pids("cell.supervisor")):
            (line,) = [one for one in Path(f"/proc/{pid}/limits").read_text().splitlines() if "open files" in one]
            assert int(line.split()[3]) >= min(hard, 4096)


def test_the_files_of_balancers_that_died_unseen_are_removed(bank: Cell) -> None:
    (supervisor,) = bank.pids("cell.supervisor")
    run = Path(f"/proc/{bank.init()}/root/run/anden")
    os.kill(supervisor, signal.SIGSTOP)
    for pid in bank.pids("haproxy"):
        os.kill(pid, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    bank.until(lambda seen: all(one.serving for one in seen.instances))
    assert bank.get() in {"web-1", "web-2"}
    assert len(list(run.glob("balancer-*.cfg"))) == 2
