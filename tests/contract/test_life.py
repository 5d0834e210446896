"""The contract of every engine, through its port only: environments and instances come, serve, fail and go."""

import pytest
from tests.contract.conftest import Make
from tests.contract.subject import EXITING, UNHEALTHY, Subject, service

from anden.model.observation import Health, InstanceState
from anden.model.plan import Configure, Remove, StartInstance
from anden.model.ports import Engine
from anden.model.problem import Problems
from anden.model.topology import Topology
from anden.planning.configuration import configure


def test_it_is_an_engine(subject: Subject) -> None:
    engine: Engine = subject.engine
    assert engine.name.value in ("simulated", "local", "aws")


# An environment.


def test_what_does_not_exist_is_observed_as_absent(make: Make) -> None:
    seen = make().seen()
    assert not seen.present
    assert seen.instances == ()
    assert seen.configuration is None


def test_configuring_creates_it_and_says_what_is_applied(make: Make) -> None:
    environment = make()
    environment.done(Configure(environment.configuration))
    seen = environment.seen()
    assert seen.present
    assert seen.key == environment.key
    assert seen.configuration == environment.configuration.digest
    assert seen.gateway == environment.gateway
    assert seen.instances == ()


def test_configuring_twice_is_configuring_once(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    before = environment.one("web-1")
    environment.done(Configure(environment.configuration))
    after = environment.one("web-1")
    assert (after.since, after.restarts, after.serving) == (before.since, before.restarts, True)


def test_another_configuration_takes_its_place_while_instances_serve(make: Make) -> None:
    def two(name: str) -> Topology:
        return Topology("contract", name, (service("api"), service("web", reaches=("api",))))

    environment = make(two)
    environment.up("web-1")
    before = environment.one("web-1")
    from dataclasses import replace

    changed = replace(environment.configuration, allows=())
    environment.done(Configure(changed))
    assert environment.seen().configuration == changed.digest
    after = environment.one("web-1")
    assert (after.since, after.serving) == (before.since, True)


def test_removing_leaves_nothing_and_removing_nothing_is_no_error(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    environment.done(Remove())
    assert not environment.seen().present
    assert environment.seen().instances == ()
    environment.done(Remove())


def test_it_can_come_back_after_it_was_removed(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    environment.done(Remove())
    environment.up("web-1")
    assert environment.one("web-1").serving


def test_two_environments_do_not_know_each_other(make: Make) -> None:
    one, other = make(), make()
    one.up("web-1")
    other.gateway = other.engine.claim(other.key, None, {one.gateway: str(one.key)})
    assert other.gateway != one.gateway
    other.up("web-1", "web-2")
    assert len(one.seen().instances) == 1
    other.done(Remove())
    assert one.one("web-1").serving


# Instances.


def test_an_instance_starts_unhealthy_and_serves_after_a_good_answer(make: Make) -> None:
    environment = make()
    environment.done(Configure(environment.configuration), StartInstance(environment.instance("web-1")))
    first = environment.one("web-1")
    assert first.state in (InstanceState.STARTING, InstanceState.RUNNING)
    assert not first.ever_healthy or first.serving
    seen = environment.until(lambda seen: (one := seen.instance("web-1")) and one.serving).instance("web-1")
    assert seen is not None
    wanted = environment.instance("web-1")
    assert seen.revision == wanted.revision
    assert (seen.service, seen.ordinal, seen.zone, seen.address) == ("web", 1, wanted.zone, wanted.address)
    assert seen.image_name == wanted.image_name
    assert seen.state is InstanceState.RUNNING
    assert seen.ever_healthy
    assert seen.restarts == 0
    assert seen.exit is None


def test_one_that_answers_badly_never_serves_and_shows_why(make: Make) -> None:
    environment = make()
    environment.done(
        Configure(environment.configuration), StartInstance(environment.instance("web-1", image=UNHEALTHY))
    )
    seen = environment.until(
        lambda seen: (one := seen.instance("web-1")) and one.health is Health.UNHEALTHY and "500" in one.answer
    )
    one = seen.instance("web-1")
    assert one is not None
    assert "started" in one.tail
    assert not one.ever_healthy
    assert not one.serving


def test_one_that_exits_is_started_again_and_that_is_counted(make: Make) -> None:
    environment = make()
    environment.done(Configure(environment.configuration), StartInstance(environment.instance("web-1", image=EXITING)))
    seen = environment.until(lambda seen: (one := seen.instance("web-1")) and one.restarts >= 2)
    one = seen.instance("web-1")
    assert one is not None
    assert one.exit is not None
    assert one.exit.code == 3
    assert one.exit.at <= seen.at
    assert not one.exit.out_of_memory
    assert not one.serving
    assert "started" in one.tail


def test_one_that_restarts_is_never_missing(make: Make) -> None:
    environment = make()
    environment.done(Configure(environment.configuration), StartInstance(environment.instance("web-1", image=EXITING)))
    last = 0
    for _ in range(20):
        seen = environment.seen()
        one = seen.instance("web-1")
        assert one is not None
        assert one.restarts >= last
        last = one.restarts
        environment.engine.wait(environment.key, seen.version, 0.1)


def test_stopping_removes_it_and_only_it(make: Make) -> None:
    environment = make()
    environment.up("web-1", "web-2")
    before = environment.one("web-2")
    environment.done(environment.stop("web-1"))
    assert environment.seen().instance("web-1") is None
    after = environment.one("web-2")
    assert (after.since, after.serving) == (before.since, True)


def test_a_slot_is_taken_over_by_another_revision(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    before = environment.one("web-1")
    renewed = environment.instance("web-1", generation=1)
    assert renewed.revision != before.revision
    environment.done(environment.stop("web-1"))
    environment.done(StartInstance(renewed))
    seen = environment.until(lambda seen: (one := seen.instance("web-1")) and one.serving).instance("web-1")
    assert seen is not None
    assert seen.revision == renewed.revision
    assert seen.address == before.address
    assert seen.since >= before.since
    assert seen.restarts == 0


def test_many_start_at_once(make: Make) -> None:
    environment = make()
    environment.up("web-1", "web-2", "web-3")
    addresses = {one.address for one in environment.seen().instances}
    assert len(addresses) == 3


# Watching.


def test_waiting_ends_when_something_happens_and_not_later(make: Make) -> None:
    environment = make()
    environment.done(Configure(environment.configuration))
    seen = environment.seen()
    environment.done(StartInstance(environment.instance("web-1")))
    assert environment.engine.wait(environment.key, seen.version, 5.0) > seen.version


def test_waiting_for_nothing_ends_after_its_time(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    seen = environment.seen()
    version = environment.engine.wait(environment.key, seen.version, 0.3)
    later = environment.seen()
    assert version <= later.version
    assert later.at - seen.at >= 0.25 or version > seen.version


def test_observing_changes_nothing(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    first = [environment.one("web-1").since for _ in range(5)]
    assert len(set(first)) == 1


# Operating.


def test_logs_of_all_of_a_service_and_of_an_instance(make: Make) -> None:
    environment = make()
    environment.up("web-1", "web-2")
    engine, key = environment.engine, environment.key
    for name, instances in ((None, {"web-1", "web-2"}), ("web", {"web-1", "web-2"}), ("web-2", {"web-2"})):
        lines = [line for line in engine.logs(key, name, 100, False) if line]
        assert {line.instance for line in lines} == instances
        assert "started" in {line.text for line in lines}
        assert all(line.stream in ("stdout", "stderr") for line in lines)
        assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert len([line for line in engine.logs(key, "web-1", 1, False) if line]) == 1


def test_logs_since_a_moment_have_nothing_older(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    engine, key = environment.engine, environment.key
    environment.up("web-2")
    every = [line for line in engine.logs(key, None, 100, False) if line]
    middle = every[len(every) // 2].at
    young = [line for line in every if line.at >= middle]
    assert 0 < len(young) <= len(every)
    assert [line for line in engine.logs(key, None, 100, False, middle) if line] == young
    assert [line for line in engine.logs(key, None, 1, False, middle) if line] == young[-1:]
    assert [line for line in engine.logs(key, None, 100, False, every[-1].at + 1.0) if line] == []
    followed = engine.logs(key, None, 100, True, middle)
    assert [next(followed) for _ in young] == young
    followed.close()  # type: ignore[attr-defined]


def test_following_logs_gives_the_reader_a_chance_to_stop(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    followed = environment.engine.logs(environment.key, None, 10, True)
    for item in followed:
        if item is None:
            break
    followed.close()  # type: ignore[attr-defined]


def test_exec_gives_output_code_and_input(make: Make) -> None:
    environment = make()
    environment.up("web-1")
    engine, key = environment.engine, environment.key
    assert engine.exec(key, "web-1", ["echo", "two words"], b"", 5.0).stdout == "two words\n"
    assert engine.exec(key, "web-1", ["cat"], b"from outside", 5.0).stdout == "from outside"
    assert engine.exec(key, "web-1", ["false"], b"", 5.0).code == 1
    assert "ANDEN_INSTANCE=web-1" in engine.exec(key, "web-1", ["env"], b"", 5.0).stdout
    assert engine.exec(key, "web-1", ["no-such-command"], b"", 5.0).code != 0


def test_exec_in_what_is_not_there(make: Make) -> None:
    environment = make()
    with pytest.raises(Problems):
        environment.engine.exec(environment.key, "web-1", ["true"], b"", 5.0)
    environment.up("web-1")
    with pytest.raises(Problems):
        environment.engine.exec(environment.key, "web-9", ["true"], b"", 5.0)


def test_rendering_is_pure_and_says_something(make: Make) -> None:
    environment = make()
    files = environment.engine.render(environment.blueprint)
    assert files
    assert all(text for text in files.values())
    assert files == environment.engine.render(environment.blueprint)
    assert not environment.seen().present


def test_claiming_avoids_what_others_have(make: Make) -> None:
    environment = make()
    first = environment.engine.claim(environment.key, None, {})
    second = environment.engine.claim(environment.key, None, {first: "somebody's"})
    assert first != second
    with pytest.raises(Problems):
        environment.engine.claim(environment.key, first, {first: "somebody's"})


def test_it_knows_the_addresses_that_it_leaves_from(make: Make) -> None:
    from anden.model.topology import Egress

    def leaving(name: str) -> Topology:
        return Topology("contract", name, (service("web"),), zones=2, egress=Egress.PER_ZONE)

    environment = make(leaving)
    facts = environment.blueprint.facts
    assert set(facts.egress) == {"a", "b"}
    assert facts.egress["a"] != facts.egress["b"]
    caveats = environment.engine.caveats(environment.blueprint.topology)
    environment.done(Configure(configure(environment.blueprint, None, caveats)))
    assert environment.seen().present
