"""An instance in trouble of its own: its neighbours answer, other instances start, and the cell stays responsive."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from tests.live.cell_world import Cell, Range, StartInstance, StopInstance, cell, service, specification

from anden.engines.local.cell import restart
from anden.model.instance import Instance
from anden.model.observation import Health, Observation
from anden.model.topology import Route

pytestmark = pytest.mark.live

ANSWER_LIMIT_S = 5.0
WATCHED_S = 8.0
PYTHON = "/usr/bin/python3"
SERVING = """
import http.server, os, signal, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(STATUS())
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *words): pass
STATUS = lambda: 200
TROUBLE
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""
DESCRIPTORS = """
kept = []
def take():
    time.sleep(2)
    try:
        while True: kept.append(os.open('/dev/null', 0))
    except OSError: os.write(1, b'no more descriptors\\n')
threading.Thread(target=take, daemon=True).start()"""
PROCESSES = """
def take():
    time.sleep(2)
    threading.stack_size(65536)
    held = threading.Event()
    try:
        while True: threading.Thread(target=held.wait, daemon=True).start()
    except RuntimeError: os.write(1, b'no more processes\\n')
threading.Thread(target=take, daemon=True).start()"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
FLAPPING = "began = time.monotonic()\nSTATUS = lambda: 200 if int(time.monotonic() - began) // 3 % 2 == 0 else 500"


@pytest.fixture(scope="module")
def bank() -> Iterator[Cell]:
    with cell() as made:
        made.up(service(), service("other", instances=Range(1, 2), route=Route("/other"), stop_s=1.0))
        yield made


def troubled(bank: Cell, trouble: str) -> Instance:
    """An instance of `other` beside the first, with another program."""
    blueprint = bank.blueprint(service(), service("other", instances=Range(1, 2), route=Route("/other"), stop_s=1.0))
    instance = specification(blueprint, "other", blueprint.placement("other").slots[1])
    return replace(instance, argv=(PYTHON, "-u", "-c", SERVING.replace("TROUBLE", trouble)), user="1000:1000")


def said(bank: Cell, id: str) -> list[str]:
    return [line.text for line in bank.engine.logs(bank.key, id, 50, follow=False) if line is not None]


def _is(id: str, health: Health, seen: Observation) -> bool:
    one = seen.instance(id)
    return one is not None and one.health is health


def well(bank: Cell) -> None:
    """The neighbour answers, and another instance can be stopped and started meanwhile."""
    began = time.monotonic()
    assert bank.get("/") == "web-1"
    bank.engine.observe(bank.key)
    assert time.monotonic() - began < ANSWER_LIMIT_S
    blueprint = bank.blueprint(service(), service("other", instances=Range(1, 2), route=Route("/other"), stop_s=1.0))
    first = specification(blueprint, "other", blueprint.placement("other").slots[0])
    bank.do(StopInstance(first.id, 0.0, 1.0), StartInstance(first))
    bank.until(lambda seen: (one := seen.instance("other-1")) is not None and one.serving)


@pytest.mark.parametrize(("what", "trouble"), [("descriptors", DESCRIPTORS), ("processes", PROCESSES)])
def test_what_it_uses_up_is_its_own(bank: Cell, what: str, trouble: str) -> None:
    instance = troubled(bank, trouble)
    bank.do(StartInstance(instance))
    try:
        bank.until(lambda _: f"no more {what}" in said(bank, instance.id), 60.0)
        well(bank)
    finally:
        bank.do(StopInstance(instance.id, 0.0, 1.0))
    assert bank.engine.observe(bank.key).instance(instance.id) is None


def test_one_that_does_not_listen_to_sigterm_is_killed_in_bounded_time(bank: Cell) -> None:
    instance = troubled(bank, DEAF)
    bank.do(StartInstance(instance))
    bank.until(lambda seen: (one := seen.instance(instance.id)) is not None and one.serving)
    began = time.monotonic()
    bank.do(StopInstance(instance.id, 0.0, 1.0))
    assert 1.0 <= time.monotonic() - began < 1.0 + ANSWER_LIMIT_S
    bank.do(StartInstance(instance))  # its slot is free: a deployment goes on
    bank.do(StopInstance(instance.id, 0.0, 0.1))


def test_one_that_flaps_is_seen_both_ways_and_is_not_restarted(bank: Cell) -> None:
    instance = troubled(bank, FLAPPING)
    bank.do(StartInstance(instance))
    try:
        for health in (Health.HEALTHY, Health.UNHEALTHY, Health.HEALTHY):
            bank.until(partial(_is, instance.id, health))
        well(bank)
        seen = bank.engine.observe(bank.key).instance(instance.id)
        assert seen is not None
        assert seen.restarts == 0
    finally:
        bank.do(StopInstance(instance.id, 0.0, 1.0))


def test_one_that_ends_at_once_is_restarted_no_more_often_than_its_policy_says(bank: Cell) -> None:
    instance = troubled(bank, "os._exit(3)")
    bank.do(StartInstance(instance))
    try:
        began = time.monotonic()
        while time.monotonic() - began < WATCHED_S:
            assert bank.get("/") == "web-1"
            time.sleep(0.2)
        seen = bank.engine.observe(bank.key).instance(instance.id)
        assert seen is not None
        allowed, at = 0, 0.0
        policy = instance.restart
        while (at := at + restart.delay(allowed + 1, policy.first_s, policy.limit_s)) <= time.monotonic() - began + 1:
            allowed += 1
        assert 2 <= seen.restarts <= allowed
        well(bank)
    finally:
        bank.do(StopInstance(instance.id, 0.0, 1.0))
