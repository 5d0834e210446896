"""What the simulated engine does beyond the contract: virtual time, behaviours, its file, and what it refuses."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.simulated import SimulatedEngine, SimulatedImages, VirtualClock
from anden.engines.simulated.behaviour import BROKEN, CRASHING, Behaviour, of_image
from anden.engines.simulated.world import ImpossibleError
from anden.model.blueprint import Blueprint
from anden.model.ids import Digest, EngineName, EnvironmentKey, InstanceId, ServiceName
from anden.model.image import Image
from anden.model.instance import Instance
from anden.model.observation import Health, InstanceState, Observation
from anden.model.plan import Action, Configure, Effect, Receipt, Remove, StartInstance, Step, StopInstance
from anden.model.ports import Clock, Engine, Images
from anden.model.problem import Problems
from anden.model.topology import Egress, ImageSource, Link, Range, Route, Service, Strategy, Topology
from anden.planning.blueprint import draft
from anden.planning.configuration import configure
from anden.planning.instances import specification
from anden.planning.link_policies import WATCH

KEY = EnvironmentKey("banco", "dev", EngineName.SIMULATED)
GATEWAY = "127.0.0.1:8080"


def topology(image: str = "web:1.0", **fields: object) -> Topology:
    given = {"port": 8080, "instances": Range(1, 3), **fields}
    return Topology("banco", "dev", (Service(ServiceName("web"), ImageSource(image), **given),))  # type: ignore[arg-type]


def blueprint(image: str = "web:1.0", **fields: object) -> Blueprint:
    of = topology(image, **fields)
    images = {"web": Image(image, Digest("sha256:" + "1" * 64), command=("serve",))}
    return draft(of, images, SimulatedEngine(VirtualClock()).facts(KEY, 1, of), None)


def instance(of: Blueprint, ordinal: int = 1) -> Instance:
    return specification(of, "web", of.placement("web").slots[ordinal - 1])


def do(engine: SimulatedEngine, *effects: Effect) -> list[Receipt]:
    steps = [Step(Action.UPDATE, str(number), "test", effect) for number, effect in enumerate(effects)]
    return list(engine.execute(KEY, steps, GATEWAY))


def up(engine: SimulatedEngine, of: Blueprint, count: int = 1) -> None:
    starts = [StartInstance(instance(of, ordinal)) for ordinal in range(1, count + 1)]
    do(engine, Configure(configure(of, None, ())), *starts)


def test_it_is_what_control_needs() -> None:
    clock: Clock = VirtualClock()
    engine: Engine = SimulatedEngine(VirtualClock())
    images: Images = SimulatedImages()
    assert clock.monotonic() == 0.0
    assert engine.name == "simulated"
    assert images.presume(Path("/nowhere"), {}) == {}


# Time.


def test_time_passes_only_when_somebody_waits() -> None:
    clock = VirtualClock(100.0)
    engine = SimulatedEngine(clock)
    up(engine, blueprint())
    now = clock.now()
    for _ in range(10):
        assert engine.observe(KEY).instances[0].health is Health.UNKNOWN
    assert clock.now() == now
    version = engine.observe(KEY).version
    assert engine.wait(KEY, version, 60.0) > version
    assert clock.now() == pytest.approx(now + Behaviour().start_s)
    assert engine.observe(KEY).instances[0].serving


def test_waiting_for_nothing_takes_all_of_its_time() -> None:
    clock = VirtualClock(0.0)
    assert SimulatedEngine(clock).wait(KEY, 0, 7.0) == 0
    assert clock.now() == 7.0


def test_restarts_back_off_to_the_limit() -> None:
    clock = VirtualClock(0.0)
    engine = SimulatedEngine(clock, behaviours={"web:1.0": CRASHING})
    up(engine, blueprint())
    exits: list[float] = []
    while len(exits) < 14:
        seen = engine.observe(KEY)
        one = seen.instances[0]
        if one.exit and one.exit.at not in exits:
            exits.append(one.exit.at)
        engine.wait(KEY, seen.version, 60.0)
    pauses = [round(after - before, 6) for before, after in pairwise(exits)]
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(0.1 + 0.1)
    assert pauses[-1] == pytest.approx(30.0 + 0.1)


def test_time_is_the_same_in_one_step_or_many() -> None:
    def seen(steps: int) -> Observation:
        clock = VirtualClock(0.0)
        engine = SimulatedEngine(clock, behaviours={"web:1.0": CRASHING})
        up(engine, blueprint(), count=3)
        clock.reach(1.0)
        for _ in range(steps):
            clock.sleep(64.0 / steps)
            engine.observe(KEY)
        return engine.observe(KEY)

    assert seen(1).instances == seen(64).instances


# How images behave.


def test_behaviours_by_table_and_by_word() -> None:
    assert of_image("web:1.0", {}) == Behaviour()
    assert of_image("web:broken", {}) == BROKEN
    assert of_image("web:crashing-2", {}) == CRASHING
    assert of_image("web:broken", {"web:broken": Behaviour()}) == Behaviour()


def test_trouble_shows_its_last_lines() -> None:
    engine = SimulatedEngine(VirtualClock(0.0))
    up(engine, blueprint("web:broken"))
    engine.wait(KEY, engine.observe(KEY).version, 60.0)
    one = engine.observe(KEY).instances[0]
    assert (one.health, one.answer, one.tail[-1]) == (Health.UNHEALTHY, "HTTP 500", "error: cannot open the vault")
    assert one.state is InstanceState.RUNNING


# What no engine could do.


def test_impossible_states_are_refused() -> None:
    engine = SimulatedEngine(VirtualClock(0.0))
    of = blueprint()
    up(engine, of)
    with pytest.raises(ImpossibleError, match="there already"):
        do(engine, StartInstance(instance(of)))
    from dataclasses import replace

    with pytest.raises(ImpossibleError, match="where web-1 is"):
        do(engine, StartInstance(replace(instance(of, 2), address=instance(of).address)))
    with pytest.raises(ImpossibleError, match="firewall does not know"):
        do(engine, StartInstance(replace(instance(of, 2), address=IPv4Address("10.9.9.9"))))
    with pytest.raises(ImpossibleError, match="not there"):
        do(engine, StopInstance(InstanceId("web-3"), 0, 0))
    wrong = configure(of, None, ())
    doubled = replace(wrong, backends=(*wrong.backends, replace(wrong.backends[0], service=ServiceName("other"))))
    with pytest.raises(ImpossibleError, match="web and other"):
        do(engine, Configure(doubled))
    assert [one.id for one in engine.observe(KEY).instances] == ["web-1"]


def test_what_vanished_meanwhile_is_a_problem_and_no_crash() -> None:
    engine = SimulatedEngine(VirtualClock(0.0))
    of = blueprint()
    up(engine, of)
    engine.vanish(KEY)
    receipts = do(engine, StopInstance(instance(of).id, 0, 0), StartInstance(instance(of)))
    assert len(receipts) == 1
    assert receipts[0].problem is not None
    assert not engine.observe(KEY).present


def test_an_instance_with_secrets_is_not_started() -> None:
    engine = SimulatedEngine(VirtualClock(0.0))
    of = blueprint(secrets={"TOKEN": "core-token"})
    (_, receipt) = do(engine, Configure(configure(of, None, ())), StartInstance(instance(of)))
    assert receipt.problem is not None
    assert "core-token" in receipt.problem.why
    assert engine.observe(KEY).instances == ()


# The file.


def test_everything_lasts_from_one_process_to_the_next(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "world.json"
    clock = VirtualClock(50.0)
    first = SimulatedEngine(clock, file)
    up(first, blueprint(), count=2)
    first.wait(KEY, first.observe(KEY).version, 5.0)
    before = first.observe(KEY)
    second = SimulatedEngine(VirtualClock(10.0), file)
    assert second.observe(KEY) == before
    do(second, Remove())
    assert not SimulatedEngine(VirtualClock(0.0), file).observe(KEY).present
    assert sorted(path.name for path in file.parent.iterdir()) == ["world.json"]


def test_real_time_that_passed_between_two_processes_counts(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    up(SimulatedEngine(VirtualClock(50.0), file), blueprint())
    assert SimulatedEngine(VirtualClock(99.0), file).observe(KEY).instances[0].serving


@pytest.mark.parametrize("content", ["", "{", '{"worlds": 3}', "[]"])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "world.json"
    file.write_text(content)
    with pytest.raises(Problems) as found:
        SimulatedEngine(VirtualClock(0.0), file)
    assert found.value.problems[0].where == str(file)
    assert found.value.problems[0].fix


def test_a_file_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file, not a folder")
    engine = SimulatedEngine(VirtualClock(0.0), None)
    engine._file = tmp_path / "blocked" / "world.json"
    with pytest.raises(Problems, match="cannot be kept"):
        up(engine, blueprint())


# What it says of itself.


CORE = Link(
    "core", IPv4Address("203.0.113.20"), (IPv4Network("10.21.0.0/16"),), ("a", "b"), IPv4Network("100.64.10.0/26")
)


def with_link(engine: SimulatedEngine) -> Blueprint:
    of = replace(topology(), links=(CORE,))
    images = {"web": Image("web:1.0", Digest("sha256:" + "1" * 64), command=("serve",))}
    return draft(of, images, engine.facts(KEY, 1, of), None)


def linked() -> SimulatedEngine:
    """With the other side there, and both tunnels up."""
    clock = VirtualClock(1_700_000_000.0)
    engine = SimulatedEngine(clock)
    up(engine, with_link(engine))
    engine.datacentre(KEY, wanted=True)
    clock.sleep(1.0)
    return engine


def by(engine: SimulatedEngine) -> int | None:
    (link,) = engine.observe(KEY).links
    assert link.by == min((each.number for each in link.tunnels if each.up), default=None)
    return link.by


def test_a_cut_tunnel_is_left_in_time_and_comes_back_by_itself() -> None:
    engine = linked()
    clock: VirtualClock = engine._clock
    assert by(engine) == 1
    engine.cut_link(KEY, "core", 1, for_s=30.0)
    assert by(engine) == 1, "nobody has noticed"
    clock.sleep(WATCH.notices_s)
    assert by(engine) == 2
    (link,) = engine.observe(KEY).links
    assert str(link.tunnels[0].problem).startswith("link core, tunnel 1: 203.0.113.20 does not answer")
    assert link.outage is None
    engine.turn_link(KEY, "core", 2, up=False)
    assert by(engine) is None, "that is at once"
    (link,) = engine.observe(KEY).links
    assert link.outage is not None
    assert link.outage.until is None
    clock.sleep(30.0)
    assert by(engine) == 1
    engine.turn_link(KEY, "core", None, up=True)
    clock.sleep(1.0)
    (link,) = engine.observe(KEY).links
    assert all(each.up for each in link.tunnels)
    assert link.outage is not None
    assert link.outage.until is not None


def test_a_wall_clock_that_is_set_moves_no_outage() -> None:
    engine = linked()
    clock: VirtualClock = engine._clock
    engine.turn_link(KEY, "core", None, up=False)
    (before,) = engine.observe(KEY).links
    clock.jump(3600.0)
    assert engine.observe(KEY).links == (before,)


def test_links_outlive_a_command(tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    engine = SimulatedEngine(VirtualClock(1_700_000_000.0), file)
    up(engine, with_link(engine))
    engine.datacentre(KEY, wanted=True)
    engine.cut_link(KEY, "core", 2, for_s=90.0)
    seen = engine.observe(KEY)
    again = SimulatedEngine(VirtualClock(0.0), file)
    assert again.observe(KEY).links == seen.links


def test_what_no_link_has_is_refused() -> None:
    engine = linked()
    with pytest.raises(Problems, match="nothing of this name runs"):
        engine.turn_link(KEY, "kore", 1, up=False)
    with pytest.raises(Problems, match="there is no tunnel 3"):
        engine.turn_link(KEY, "core", 3, up=False)
    with pytest.raises(Problems, match="nobody can be invited"):
        engine.invite(KEY, blueprint(), "core", None)


def test_caveats_name_what_is_withheld() -> None:
    from anden.model.ids import DestinationName
    from anden.model.topology import Destination

    of = Topology(
        "banco",
        "dev",
        (
            Service(
                ServiceName("web"),
                ImageSource("web:1"),
                port=80,
                route=Route("/", auth="customers"),
                strategy=Strategy.CANARY,
                secrets={"T": "token"},
            ),
        ),
        destinations=(
            Destination(DestinationName("core"), 1, host="core", link="core"),
            Destination(DestinationName("mail"), 25, host="mail.example"),
        ),
    )
    caveats = SimulatedEngine(VirtualClock()).caveats(of)
    withheld = {name for caveat in caveats for name in caveat.withholds}
    assert withheld == {"web", "core", "up"}  # names are looked up, so mail is not
    assert [len(SimulatedEngine(VirtualClock()).caveats(topology()))] == [1]


@given(st.integers(1, 4))
def test_fixed_addresses_differ_by_zone(zones: int) -> None:
    engine = SimulatedEngine(VirtualClock())
    per_zone = engine.facts(KEY, zones, Topology("b", "d", (), egress=Egress.PER_ZONE)).egress
    assert len(set(per_zone.values())) == len(per_zone) == zones
    assert set(engine.facts(KEY, zones, Topology("b", "d", (), egress=Egress.ONE)).egress) == {"*"}
    assert engine.facts(KEY, zones, Topology("b", "d", ())).egress == {}


# Images.


def test_images_by_name_and_builds_by_what_is_in_their_folder(tmp_path: Path) -> None:
    images = SimulatedImages()
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "app.py").write_text("one")
    sources = {"web": ImageSource(build="web"), "api": ImageSource(image="api:1.0")}
    first = dict(item for item in images.resolve(tmp_path, sources) if isinstance(item, tuple))
    assert first == images.presume(tmp_path, sources)
    assert (first["web"].name, first["api"].version) == ("build:web", "1.0")
    (tmp_path / "web" / "app.py").write_text("two")
    second = images.presume(tmp_path, sources)
    assert second["web"].digest != first["web"].digest
    assert second["api"] == first["api"]


def test_all_images_that_are_not_there_are_named_at_once(tmp_path: Path) -> None:
    sources = {
        "web": ImageSource(build="web"),
        "api": ImageSource(image="api:missing"),
        "ok": ImageSource(image="ok:1"),
    }
    with pytest.raises(Problems) as found:
        list(SimulatedImages().resolve(tmp_path, sources))
    assert [problem.where for problem in found.value.problems] == ["services/web/build", "services/api/image"]
