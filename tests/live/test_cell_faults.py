"""What goes wrong around a cell is said, with a fix."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.live.cell_world import (
    Cell,
    Configure,
    StartInstance,
    cell,
    configure,
    service,
    specification,
)

from anden.model.ids import Digest
from anden.model.problem import Problems

pytestmark = pytest.mark.live


def configured(made: Cell) -> Configure:
    return Configure(configure(made.blueprint(service()), None, ()))


def test_two_keepers_one_cell() -> None:
    with cell() as made:
        made.up(service())
        argv = [sys.executable, "-m", "anden.engines.local.cell.keeper", str(made.place.folder), "--images", "/tmp"]
        argv += ["--client", "c", "--environment", "e", "--gateway", "127.0.0.1:1", "--group", "/anden/x"]
        second = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
        assert second.returncode == 1
        assert "another keeper has this cell" in second.stderr
        assert made.get() == "web-1"


def test_a_gateway_that_a_stranger_has() -> None:
    with cell() as made, socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen(1)
        address = f"127.0.0.1:{stranger.getsockname()[1]}"
        with pytest.raises(Problems, match=f"process {os.getpid()}") as found:
            made.engine.claim(made.key, address, {})
        assert "--gateway" in found.value.problems[0].fix
        made.gateway = address
        (receipt,) = made.try_(configured(made))
        assert receipt.problem is not None
        assert f"cannot listen on {address}" in str(receipt.problem)
        assert made.place.keeper() is None


def test_another_environment_has_the_gateway() -> None:
    with cell("one") as first, cell("two") as second:
        first.gateway = first.engine.claim(first.key, None, {})
        first.up(service())
        assert first.engine.claim(first.key, None, {}) == first.gateway
        second.gateway = second.engine.claim(second.key, None, {})
        assert second.gateway != first.gateway
        second.up(service())
        (mine,) = [second.engine.observe(second.key).gateway]
        assert mine == second.gateway
        assert (first.get(), second.get()) == ("web-1", "web-1")
        second.down()
        assert first.get() == "web-1"


def test_an_image_that_is_not_there() -> None:
    with cell() as made:
        made.do(configured(made))
        blueprint = made.blueprint(service())
        instance = specification(blueprint, "web", blueprint.placement("web").slots[0])
        (receipt,) = made.try_(StartInstance(replace(instance, image=Digest("sha256:" + "0" * 64))))
        assert receipt.problem is not None
        assert receipt.problem.fix
        assert made.engine.observe(made.key).instances == ()


def test_a_user_that_the_image_does_not_have() -> None:
    with cell() as made:
        made.do(configured(made))
        blueprint = made.blueprint(service(user="ana"))
        (receipt,) = made.try_(StartInstance(specification(blueprint, "web", blueprint.placement("web").slots[0])))
        assert "ana is not a user" in str(receipt.problem)
        assert made.engine.observe(made.key).instances == ()
        assert not list(Path("/run/netns").glob("web-1"))


def test_an_address_that_the_kernel_refuses() -> None:
    with cell() as made:
        made.do(configured(made))
        blueprint = made.blueprint(service())
        instance = specification(blueprint, "web", blueprint.placement("web").slots[0])
        before = made.pids("cell.supervisor")
        (receipt,) = made.try_(StartInstance(replace(instance, address=IPv4Address("224.0.0.5"))))
        assert "the kernel refused a change of the network" in str(receipt.problem)
        assert made.engine.observe(made.key).instances == ()
        for folder in ("bundles", "instances"):
            assert not list(Path(f"/proc/{made.init()}/root/run/anden/{folder}").glob("*")), folder
        made.do(StartInstance(instance))
        assert made.pids("cell.supervisor") == before


def test_secrets_are_not_there_yet() -> None:
    with cell() as made:
        made.do(configured(made))
        blueprint = made.blueprint(service(secrets={"TOKEN": "core-token"}))
        (receipt,) = made.try_(StartInstance(specification(blueprint, "web", blueprint.placement("web").slots[0])))
        assert "core-token" in str(receipt.problem)


def test_a_gateway_does_not_move_while_it_runs() -> None:
    with cell() as made:
        made.up(service())
        made.gateway = "127.0.0.1:1"
        (receipt,) = made.try_(configured(made))
        assert "anden down" in str(receipt.problem)


def test_nothing_runs_and_nothing_answers() -> None:
    with cell() as made:
        assert not made.engine.observe(made.key).present
        with pytest.raises(Problems, match="it does not run"):
            made.engine.exec(made.key, "web-1", ["true"], b"", 1.0)
        assert list(made.engine.logs(made.key, None, 10, follow=False)) == []
        assert made.engine.wait(made.key, 0, 0.3) == 0


def test_a_failed_step_ends_what_comes_after_it() -> None:
    with cell() as made:
        blueprint = made.blueprint(service())
        instance = specification(blueprint, "web", blueprint.placement("web").slots[0])
        receipts = made.try_(StartInstance(instance), configured(made))
        assert len(receipts) == 1
        assert receipts[0].problem is not None
