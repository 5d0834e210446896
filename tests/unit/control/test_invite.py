"""Who may be invited to a link, and that no key is in what is recorded or said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.control.bench import Bench

from anden.model.command import Outcome
from anden.model.invitation import Rehearsal
from anden.model.problem import Problems

MANIFEST = """
anden: 1
client: banco
environments:
  dev:
    links: { core: { peer: 203.0.113.10, networks: [10.20.0.0/16], secret: [vpn-1, vpn-2] } }
services:
  web: { image: web:1.0, port: 8080, route: / }
"""
KEYS = {"vpn-1": "k" * 43, "vpn-2": "l" * 43}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def rehearsal(bench: Bench) -> Rehearsal:
    return Rehearsal("0a1b2c3d", bench.clock.now() + 3600, "192.0.2.10:4510", KEYS, "0f" * 32)


def refused(bench: Bench, given: Rehearsal | None, name: str = "core") -> str:
    with pytest.raises(Problems) as found:
        list(bench.control.invite(bench.at(MANIFEST), "ana", name, given))
    said = str(found.value)
    commands = bench.control.commands(bench.at(MANIFEST))
    assert commands[0].outcome is Outcome.REFUSED
    recorded = str(commands)
    assert not any(key in said + recorded for key in (*KEYS.values(), "0f" * 32))
    assert f"link invite {name}" in recorded
    return said


def test_nobody_is_invited_to_what_does_not_run(bench: Bench) -> None:
    assert "it does not run" in refused(bench, rehearsal(bench))


def test_an_engine_without_rehearsals_says_so(bench: Bench) -> None:
    bench.up(MANIFEST)
    assert "nobody can be invited to it here" in refused(bench, rehearsal(bench))
    assert "nobody can be invited to it here" in refused(bench, None)
    assert "nothing of this name runs" in refused(bench, rehearsal(bench), "cor")


def test_where_certificates_prove_the_sides_an_invitation_brings_a_public_key_and_nothing_else(bench: Bench) -> None:
    manifest = MANIFEST.replace("secret: [vpn-1, vpn-2]", "certificate: rehearsal")
    bench.up(manifest)
    right = replace(rehearsal(bench), keys={}, public="-----BEGIN PUBLIC KEY-----")
    wrong = replace(right, keys=KEYS), replace(right, public=""), replace(right, certificate="-----BEGIN CERTIFICATE")
    for given in wrong:
        with pytest.raises(Problems, match="its keys are not those of this link; certificates prove its sides"):
            list(bench.control.invite(bench.at(manifest), "ana", "core", given))
    with pytest.raises(Problems, match="nobody can be invited to it here"):  # what is right reaches the engine
        list(bench.control.invite(bench.at(manifest), "ana", "core", right))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda one: replace(one, until=one.until - 3590), "it cannot last so long"),
        (lambda one: replace(one, until=one.until + 31 * 86_400), "it cannot last so long"),
        (lambda one: replace(one, meet="nowhere"), "nowhere is no HOST:PORT"),
        (lambda one: replace(one, meet="192.0.2.10:99999"), "is no HOST:PORT"),
        (lambda one: replace(one, keys={"vpn-1": KEYS["vpn-1"]}), "its keys are not those of this link"),
        (lambda one: replace(one, keys={**KEYS, "vpn-2": "short"}), "its keys are not those of this link"),
        (lambda one: replace(one, wire="0f"), "its keys are not those of this link"),
        (lambda one: replace(one, public="-----BEGIN PUBLIC KEY-----"), "its keys are not those of this link"),
    ],
)
def test_what_does_not_fit_is_refused(bench: Bench, change: Callable[[Rehearsal], Rehearsal], what: str) -> None:
    bench.up(MANIFEST)
    assert what in refused(bench, change(rehearsal(bench)))
