"""`up`: the first one, the one with nothing to do, the rolling one, the broken one, and what it refuses."""

from pathlib import Path

import pytest
from tests.unit.control.bench import KEY, START, TWO, Bench, manifest

from anden.engines.simulated.behaviour import Behaviour
from anden.model.change import ChangeState
from anden.model.command import Outcome
from anden.model.event import EventKind
from anden.model.problem import Problems


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_first_up_brings_everything_up_and_says_so(bench: Bench) -> None:
    end = bench.up()
    assert end.outcome == Outcome.DONE
    assert bench.said[0].text == "banco/dev, simulated, 1 zone"
    assert bench.text().splitlines()[1:4] == ["✓ api 1/1 healthy", "✓ web 2/2 healthy", "✓ gateway / → web"]
    assert all(
        event.took_s is not None for event in bench.said if event.kind is EventKind.STEP and event.subject != "gateway"
    )
    assert end.data is not None
    assert end.data["running"]
    assert end.data["matches_manifest"]
    assert end.data["gateway"] == "127.0.0.1:8080"
    assert [(each["name"], each["healthy"], each["level"]) for each in end.data["services"]] == [
        ("api", 1, 1),
        ("web", 2, 2),
    ]
    assert bench.images() == {"api": ["api:1.0"], "web": ["web:1.0", "web:1.0"]}


def test_every_command_is_recorded(bench: Bench) -> None:
    bench.up()
    bench.run(bench.control.scale(bench.at(), "luis (via sudo)\x1b[31m", "web", 3))
    told = [(command.who, command.what, command.outcome) for command in bench.control.commands(bench.at())]
    assert told == [("luis (via sudo) [31m", "scale web 3", Outcome.DONE), ("ana", "up", Outcome.DONE)]
    assert all(command.ended_at is not None for command in bench.control.commands(bench.at()))
    assert bench.store.verify().fault == ""


def test_an_up_with_nothing_to_do_does_nothing_and_says_so(bench: Bench) -> None:
    bench.up()
    before, now = bench.engine.observe(KEY), bench.clock.now()
    end = bench.up()
    assert end.outcome == Outcome.DONE
    assert "nothing to do" in bench.text()
    assert bench.engine.observe(KEY).instances == before.instances
    assert bench.clock.now() == now
    assert len(bench.store.changes(KEY)) == 1


def test_moving_a_line_of_the_manifest_is_nothing_to_do_and_the_new_line_is_known(bench: Bench) -> None:
    bench.up()
    end = bench.up("\n\n\n" + TWO)
    assert "nothing to do" in bench.text()
    assert end.outcome == Outcome.DONE
    with pytest.raises(Problems, match=r"anden.yaml:8"):
        bench.run(bench.control.scale(bench.at(), "ana", "web", 9))


def test_a_new_version_rolls_and_never_serves_from_fewer_than_the_base(bench: Bench) -> None:
    bench.up()
    bench.engine.watch({"web": 2, "api": 1})
    end = bench.up(manifest(web="web:2.0", api="api:2.0"))
    assert end.outcome == Outcome.DONE
    assert bench.images() == {"api": ["api:2.0"], "web": ["web:2.0", "web:2.0"]}
    assert "+ web-3 surge for web 2.0" in bench.text()
    assert bench.text().splitlines()[-1] == "✓ gateway / → web"


def test_a_scaled_service_rolls_at_its_level(bench: Bench) -> None:
    bench.up()
    bench.run(bench.control.scale(bench.at(), "ana", "web", 4))
    bench.engine.watch({"web": 4})
    assert bench.up(manifest(web="web:2.0")).outcome == Outcome.DONE
    assert bench.images()["web"] == ["web:2.0"] * 4


@pytest.mark.parametrize("broken", ["web:broken", "web:crashing"])
def test_a_broken_version_is_rolled_back_by_itself_and_the_good_one_serves_throughout(
    bench: Bench, broken: str
) -> None:
    bench.up()
    good = bench.target
    bench.engine.watch({"web": 2, "api": 1})
    end = bench.up(manifest(web=broken, api="api:2.0"))
    assert end.outcome == Outcome.ROLLED_BACK
    assert bench.target.blueprint == good.blueprint
    assert bench.images() == {"api": ["api:1.0"], "web": ["web:1.0", "web:1.0"]}
    change = bench.store.changes(KEY)[0]
    assert change.state is ChangeState.ROLLED_BACK
    assert change.reason.startswith("web-3")
    assert any("error:" in line for line in change.evidence)
    assert end.problem is not None
    assert "rolled back" in end.problem.what
    assert "error:" in bench.text()
    assert bench.control.commands(bench.at())[0].outcome is Outcome.ROLLED_BACK
    assert end.data is not None
    assert not end.data["matches_manifest"]


def test_a_broken_version_does_not_take_longer_than_its_bounds(bench: Bench) -> None:
    bench.up()
    began = bench.clock.now()
    bench.up(manifest(web="web:broken"))
    assert bench.clock.now() - began < 10 + 30 + 5


def test_the_evidence_comes_before_what_is_done_about_it(bench: Bench) -> None:
    bench.up()
    bench.up(manifest(web="web:broken"))
    lines = bench.text().splitlines()
    failed = next(n for n, line in enumerate(lines) if line.startswith("✗ change"))
    assert "HTTP 500" in lines[failed]
    assert lines.index("… change rolling back to " + bench.target.blueprint[7:11]) > failed  # type: ignore[index]
    assert next(n for n, line in enumerate(lines) if line.startswith("- web-3")) > failed


def test_a_first_version_that_is_broken_has_nothing_to_go_back_to(bench: Bench) -> None:
    end = bench.up(manifest(web="web:broken"))
    assert end.outcome == Outcome.FAILED
    assert bench.store.changes(KEY)[0].state is ChangeState.FAILED
    assert bench.up().outcome == Outcome.DONE
    assert bench.images()["web"] == ["web:1.0"] * 2
    # What failed was never a version to go back to.
    with pytest.raises(Problems, match="nothing to go back to"):
        bench.run(bench.control.rollback(bench.at(), "ana"))


def test_a_version_that_failed_and_then_recovered_is_held_after_the_next_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path, behaviours={"web:slow": Behaviour(start_s=60.0)})
    assert bench.up(manifest(web="web:slow")).outcome == Outcome.FAILED
    bench.clock.sleep(120.0)
    assert bench.up(manifest(web="web:slow")).outcome == Outcome.DONE
    assert bench.up(manifest(web="web:broken")).outcome == Outcome.ROLLED_BACK


def test_it_waits_and_says_for_what(tmp_path: Path) -> None:
    bench = Bench(tmp_path, behaviours={"web:slow": Behaviour(start_s=25.0)})
    assert bench.up(manifest(web="web:slow")).outcome == Outcome.DONE
    assert bench.text().count("… web-1 is not healthy: no answer yet") == 2


def test_a_service_that_is_dropped_goes_last(bench: Bench) -> None:
    bench.up()
    bench.engine.watch({"web": 2})
    one = "anden: 1\nclient: banco\nservices:\n  web: { image: web:2.0, port: 8080, route: /, instances: 2..4 }\n"
    assert bench.up(one).outcome == Outcome.DONE
    assert bench.images() == {"web": ["web:2.0"] * 2}
    assert bench.text().splitlines().index("- api-1 not in the manifest any more") > 3


def test_levels_stay_and_those_of_dropped_services_go(bench: Bench) -> None:
    bench.up()
    bench.run(bench.control.scale(bench.at(), "ana", "web", 3))
    bench.run(bench.control.scale(bench.at(), "ana", "api", 2))
    one = "anden: 1\nclient: banco\nservices:\n  web: { image: web:1.0, port: 8080, route: /, instances: 2..4 }\n"
    bench.up(one)
    bench.up()
    assert bench.target.levels == {"web": 3}
    assert len(bench.images()["api"]) == 1


# What it refuses.


def refused(bench: Bench, text: str, **options: object) -> str:
    with pytest.raises(Problems) as found:
        bench.up(text, **options)
    return str(found.value)


def test_what_it_does_not_keep_it_refuses(bench: Bench) -> None:
    text = TWO.replace("instances: 2..4", "instances: 2..4, deploy: canary")
    said = refused(bench, text)
    assert "services/web/deploy (anden.yaml:5): canary is refused" in said
    assert bench.store.target(KEY) is None
    assert not bench.engine.observe(KEY).present
    assert bench.control.commands(bench.at())[0].outcome is Outcome.REFUSED


def test_a_wrong_manifest_a_wrong_environment_and_another_client(bench: Bench) -> None:
    assert "80800 is not a port" in refused(bench, TWO.replace("8080, route", "80800, route"))
    with pytest.raises(Problems, match="none of this name"):
        bench.run(bench.control.up(bench.at(TWO, "deb"), "ana"))
    with pytest.raises(Problems, match="clients share nothing"):
        bench.run(bench.control.up(bench.at(TWO.replace("client: banco", "client: other")), "ana"))
    with pytest.raises(Problems, match="there is no manifest"):
        bench.run(bench.control.up(bench.at(None), "ana"))


def test_an_image_that_is_not_there_changes_nothing(bench: Bench) -> None:
    bench.up()
    before = bench.target
    end = bench.up(manifest(web="web:missing"))
    assert end.outcome == Outcome.REFUSED
    assert any(event.kind is EventKind.PROBLEM for event in bench.said)
    assert bench.target == before
    assert len(bench.store.changes(KEY)) == 1


def test_the_gateway_is_kept_and_moves_only_while_nothing_runs(bench: Bench) -> None:
    bench.up(gateway="127.0.0.1:9000")
    assert bench.target.gateway == "127.0.0.1:9000"
    bench.up(manifest(web="web:2.0"))
    assert bench.target.gateway == "127.0.0.1:9000"
    assert "listens on 127.0.0.1:9000 already" in refused(bench, TWO, gateway="127.0.0.1:9001")


def test_two_environments_get_two_gateways(bench: Bench) -> None:
    text = TWO + "environments: { dev: {}, qa: {} }\n"
    bench.up(text)
    end = bench.run(bench.control.up(bench.at(text, "qa"), "ana"))
    assert end.data is not None
    assert (bench.target.gateway, end.data["gateway"]) == ("127.0.0.1:8080", "127.0.0.1:8081")


def test_another_folder_is_refused_until_it_is_adopted_or_the_first_is_gone(bench: Bench, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    bench.run(bench.control.up(bench.at(folder=first), "ana"))
    with pytest.raises(Problems) as found:
        bench.run(bench.control.up(bench.at(folder=second), "ana"))
    assert "--adopt" in found.value.problems[0].fix
    assert str(first) in found.value.problems[0].what
    assert bench.target.folder == str(first)
    bench.run(bench.control.up(bench.at(folder=second), "ana", adopt=True))
    assert bench.target.folder == str(second)
    second.rmdir()
    assert bench.run(bench.control.up(bench.at(folder=first), "ana")).outcome == Outcome.DONE
    assert bench.target.folder == str(first)


# Manners.


def test_manners_are_kept_until_others_are_said_and_everybody_says_them(bench: Bench) -> None:
    assert bench.up(manners="aws").outcome == Outcome.DONE
    assert bench.said[0].text == "banco/dev, simulated as aws, 1 zone"
    assert bench.target.manners == "aws"
    launched = [one.since for one in bench.engine.observe(KEY).instances]
    assert bench.clock.now() - max(launched) >= 30  # no task serves sooner
    bench.crash()
    bench.up()
    assert bench.target.manners == "aws"
    assert bench.control.status(bench.at()).manners == "aws"
    assert bench.control.plan(bench.at()).manners == "aws"
    assert bench.run(bench.control.scale(bench.at(), "ana", "web", 3)).outcome == Outcome.DONE
    assert "as aws" in bench.said[0].text


def test_going_back_to_the_twins_manners_replaces_no_instance(bench: Bench) -> None:
    bench.up(manners="aws")
    before = bench.engine.observe(KEY)
    assert bench.up(manners="twin").outcome == Outcome.DONE
    after = bench.engine.observe(KEY)
    assert after.configuration != before.configuration
    assert [(one.id, one.since) for one in after.instances] == [(one.id, one.since) for one in before.instances]
    assert bench.said[0].text == "banco/dev, simulated, 1 zone"
    assert bench.target.manners == "twin"


def test_a_launch_that_is_under_way_is_no_finding(bench: Bench) -> None:
    told = bench.control.up(bench.at(), "ana", manners="aws")
    for event in told:
        if bench.engine.observe(KEY).instances and bench.clock.now() - START > 20:
            break
        assert event is None or event.kind is not EventKind.END
    status = bench.control.status(bench.at())
    assert {each.state for service in status.services for each in service.instances} == {"starting"}
    assert status.findings == ()
    told.close()


def test_manners_of_another_name_are_refused(bench: Bench) -> None:
    with pytest.raises(Problems) as found:
        bench.up(manners="azure")
    assert str(found.value) == "--as azure: there are no manners of this name; twin, aws. Choose one of these."
