"""From a blueprint and a slot to the instance: what wins, and what leaves a running instance alone."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning.topologies import destination, drafted, images, service, topology
from tests.unit.planning.world import running

from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import Digest
from anden.model.image import Image
from anden.model.instance import Instance
from anden.model.observation import InstanceState
from anden.model.secret import SecretRef
from anden.model.topology import Egress, Health, Range, Route, Scale, ScaleMetric, Service, Slo
from anden.planning.blueprint import draft
from anden.planning.instances import level, specification, wanted

IMAGE = Image(
    "accounts:1.4.2",
    Digest("sha256:" + "4" * 64),
    entrypoint=("/bin/serve",),
    command=("--port", "80"),
    env={"LANG": "C", "PORT": "80", "ANDEN_ZONE": "mine", "LOG_LEVEL": "debug"},
    user="1000",
    workdir="",
)


def blueprint(*services: Service, image: Image = IMAGE, parent: Blueprint | None = None, **fields: object) -> Blueprint:
    place = topology(*services, **fields)
    return draft(place, {**images(place), "accounts": image}, Facts(), parent)


def made(target: Blueprint, ordinal: int = 1, generation: int = 0) -> Instance:
    return specification(target, "accounts", target.placement("accounts").slots[ordinal - 1], generation)


def test_the_image_gives_the_defaults() -> None:
    one = made(blueprint(service("accounts", health=Health("/health"))))
    assert one.argv == ("/bin/serve", "--port", "80")
    assert one.env == {
        "LANG": "C",
        "LOG_LEVEL": "debug",
        "ANDEN_SERVICE": "accounts",
        "ANDEN_ZONE": "a",
        "ANDEN_INSTANCE": "accounts-1",
        "PORT": "8080",
    }
    assert (one.user, one.workdir, one.health_path) == ("1000", "/", "/health")
    assert (one.id, one.image, one.image_name) == ("accounts-1", IMAGE.digest, "accounts:1.4.2")


def test_the_service_wins() -> None:
    mine = service("accounts", command=("run",), user="7:7", env={"PORT": "9", "LANG": "es"}, secrets={"TOKEN": "core"})
    one = made(blueprint(mine))
    assert (one.argv, one.user, one.secrets) == (("run",), "7:7", {"TOKEN": SecretRef("core", "")})
    assert (one.env["PORT"], one.env["LANG"]) == ("9", "es")


def test_a_worker_has_no_port_to_be_told_and_none_to_be_asked_at() -> None:
    one = made(blueprint(service("accounts", port=None, health=Health("/health"))))
    assert one.env["PORT"] == "80"  # the image's own business
    assert one.health_path is None


def test_nobody_of_that_name() -> None:
    target = blueprint(service("accounts"))
    with pytest.raises(KeyError):
        specification(target, "ledger", target.placement("accounts").slots[0])


def test_what_an_instance_does_not_see_leaves_it_alone() -> None:
    before = blueprint(service("accounts", instances=Range(1, 2)), service("ledger"))
    same = service(
        "accounts",
        instances=Range(2, 9),
        route=Route("/accounts"),
        reaches=("ledger", "exchange"),
        scale=Scale(ScaleMetric.CPU, 60),
        slo=Slo(99.9),
    )
    after = blueprint(
        same,
        service("ledger", env={"MODE": "x"}),
        service("web"),
        parent=before,
        destinations=(destination("exchange", "198.51.100.7"),),
        egress=Egress.ONE,
        production=True,
    )
    assert made(after).revision == made(before).revision


@pytest.mark.parametrize(
    "fields",
    [
        {"port": 9090},
        {"env": {"MODE": "x"}},
        {"command": ("run",)},
        {"user": "7"},
        {"secrets": {"TOKEN": "core"}},
        {"writable": ("/tmp", "/var/cache")},
        {"health": Health("/ready")},
    ],
)
def test_what_it_sees_replaces_it(fields: dict[str, Any]) -> None:
    before = blueprint(service("accounts"))
    assert made(blueprint(service("accounts", **fields), parent=before)).revision != made(before).revision


def test_another_image_slot_or_generation_is_another_revision() -> None:
    target = blueprint(service("accounts"))
    other = blueprint(service("accounts"), image=replace(IMAGE, digest=Digest("sha256:" + "5" * 64)), parent=target)
    revisions = {made(target).revision, made(target, 2).revision, made(target, 1, 1).revision, made(other).revision}
    assert len(revisions) == 4


@given(st.integers(0, 5), st.integers(1, 9), st.dictionaries(st.just("accounts"), st.integers(-3, 20)))
def test_a_level_is_within_the_range(base: int, more: int, asked: dict[str, int]) -> None:
    one = service("accounts", instances=Range(base, base + more))
    found = level(one, asked)
    assert found in one.instances
    assert found == asked.get("accounts", base) or asked["accounts"] not in one.instances
    assert level(one, {"ledger": base + 1}) == base


def test_who_is_current() -> None:
    target = drafted(topology(service("accounts", instances=Range(1, 2)), zones=2))
    mine = wanted(target, {}, {})["accounts"]  # type: ignore[index]
    good = running(target, "accounts", 2)
    assert mine.current(good)
    leaving = replace(good, state=InstanceState.DRAINING)
    assert not mine.current(leaving)
    assert mine.matches(leaving)
    elsewhere = replace(good, address=mine.slots[1].address)
    for other in (elsewhere, replace(good, revision=Digest("sha256:0")), replace(good, ordinal=9)):
        assert not mine.current(other)
    assert not wanted(target, {}, {"accounts": 1})["accounts"].current(good)  # type: ignore[index]
