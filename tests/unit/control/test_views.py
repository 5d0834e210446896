"""status, plan, reach, prove egress, logs, exec and the record."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.control.bench import ENVIRONMENT, KEY, TWO, Bench, manifest

from anden.control.access import MOST_WHO, named
from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.aws import AwsEngine
from anden.engines.simulated import SimulatedImages
from anden.model.command import Outcome
from anden.model.plan import Configure, StartInstance
from anden.model.ports import Exec
from anden.model.problem import Problems
from anden.model.reach import Seen
from anden.store import open_store

OUTSIDE = """
anden: 1
client: banco
region: us-east-1
destinations: { exchange: 192.0.2.7:443, mail: mail.example:25 }
environments:
  dev: { zones: 2, egress: per-zone }
services:
  web: { image: web:1.0, port: 8080, route: /, instances: 2..4, reaches: [api, exchange, mail] }
  api: { image: api:1.0, port: 8080, instances: 1..3, size: { memory: 1 GB } }
  worker: { image: worker:1.0, reaches: [web] }
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# status.


def test_status_before_anything_runs(bench: Bench) -> None:
    status = bench.control.status(bench.at())
    assert (status.running, status.reason, status.blueprint) == (False, "not running", None)
    with pytest.raises(Problems, match="nothing runs"):
        bench.control.status(bench.at(None, None))


def test_status_of_what_runs(bench: Bench) -> None:
    bench.up(OUTSIDE)
    status = bench.control.status(bench.at(OUTSIDE))
    assert status.running
    assert status.matches_manifest
    assert status.zones == 2
    web = next(each for each in status.services if each.name == "web")
    assert (web.healthy, web.level, web.base, web.max, web.image, web.health) == (2, 2, 2, 4, "1.0", "healthy")
    assert web.url == "http://127.0.0.1:8080/"
    assert {one.zone for one in web.instances} == {"a", "b"}
    assert all(one.address and one.state == "running" for one in web.instances)
    assert bench.control.status(bench.at(OUTSIDE.replace("1 GB", "2 GB"))).matches_manifest is False
    assert bench.control.status(bench.at(None)).matches_manifest is None
    assert bench.control.status(bench.at("anden: [")).matches_manifest is None


def test_status_finds_the_environment_when_none_is_said(bench: Bench) -> None:
    bench.up()
    assert bench.control.status(bench.at(None, None)).environment == ENVIRONMENT
    assert bench.control.status(bench.at("anden: [", None)).environment == ENVIRONMENT
    text = TWO + "environments: { dev: {}, qa: {} }\n"
    bench.run(bench.control.up(bench.at(text, "qa"), "ana"))
    assert bench.control.status(bench.at(text, None)).environment == "dev"


def test_status_says_what_is_wrong(bench: Bench) -> None:
    bench.up(manifest(web="web:broken"))
    status = bench.control.status(bench.at())
    web = next(each for each in status.services if each.name == "web")
    assert (web.healthy, web.health) == (0, "down")
    assert any("HTTP 500" in finding.text for finding in status.findings)
    assert status.change is not None
    assert status.change.evidence


def test_levels_beside_the_base_are_shown(bench: Bench) -> None:
    bench.up()
    bench.run(bench.control.scale(bench.at(), "ana", "web", 3))
    assert [each.text for each in bench.control.status(bench.at()).deployed] == ["level 2 → 3"]


# plan.


def test_a_plan_of_everything(bench: Bench) -> None:
    report = bench.control.plan(bench.at(OUTSIDE))
    assert report.current is None
    assert report.changes
    assert [type(step.effect) for step in report.steps] == [Configure] + [StartInstance] * 4
    assert any(caveat.subject == "containers" for caveat in report.caveats)
    assert report.problems == ()
    assert bench.store.targets() == ()
    assert bench.store.commands(None) == ()


def test_a_plan_is_what_up_then_does(bench: Bench) -> None:
    bench.up()
    text = manifest(web="web:2.0")
    report = bench.control.plan(bench.at(text))
    assert any("1.0 → 2.0" in each.text for each in report.differences)
    planned = [(step.action.value, step.address) for step in report.steps]
    bench.up(text)
    done = [(event.sign, event.subject) for event in bench.said if event.sign in "+-~" and event.sign]
    assert done == planned
    assert bench.target.blueprint == report.target
    assert not bench.control.plan(bench.at(text)).changes


def test_a_plan_says_that_it_would_undo_a_deployment(bench: Bench) -> None:
    bench.up()
    bench.run(bench.control.deploy(bench.at(), "ana", "web", "web:1.1"))
    report = bench.control.plan(bench.at())
    assert next(each.note for each in report.differences if "1.1 → 1.0" in each.text).endswith("`up` asks")


def test_a_plan_names_what_blocks(bench: Bench) -> None:
    text = OUTSIDE.replace("instances: 2..4", "instances: 2..4, deploy: blue-green")
    assert any("blue-green is refused" in problem.what for problem in bench.control.plan(bench.at(text)).problems)


def test_a_plan_for_aws_says_what_is_otherwise_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    control = Control(AwsEngine(bench.clock), SimulatedImages(), open_store(":memory:"), bench.clock, InlineRunner())
    report = control.plan(bench.at(OUTSIDE))
    assert report.engine == "aws"
    assert any("DNS Firewall" in caveat.text for caveat in report.caveats)
    assert report.differences
    assert report.current is None
    assert not report.problems
    with pytest.raises(Problems, match="there are no credentials"):  # nothing is begun without
        list(control.up(bench.at(OUTSIDE), "ana"))


# reach and egress.


def test_reach_is_computed_from_the_manifest_when_nothing_runs(bench: Bench) -> None:
    report = bench.control.reach(bench.at(OUTSIDE), "web", "api")
    assert [path.open for path in report.paths] == [True]
    assert report.probed == ()
    with pytest.raises(Problems, match="nothing runs"):
        bench.control.reach(bench.at(OUTSIDE), "web", "api", live=True)


def test_every_pair_tried_live_is_as_computed(bench: Bench) -> None:
    bench.up(OUTSIDE)
    report = bench.control.reach(bench.at(None), live=True)
    assert len(report.paths) == len(report.probed) == 3 * (2 + 2)
    for path, probed in zip(report.paths, report.probed, strict=True):
        assert path.open == (probed.seen is Seen.OPEN), (path.caller, path.callee, probed)


def test_a_row_a_column_and_a_wrong_name(bench: Bench) -> None:
    bench.up(OUTSIDE)
    assert {path.caller for path in bench.control.reach(bench.at(), caller="web").paths} == {"web"}
    assert {path.callee for path in bench.control.reach(bench.at(), callee="api").paths} == {"api"}
    with pytest.raises(Problems, match="nothing of this name"):
        bench.control.reach(bench.at(), caller="wbe")


def test_egress_is_proved_for_each_zone(bench: Bench) -> None:
    bench.up(OUTSIDE)
    report = bench.control.prove_egress(bench.at(None))
    found = {(proof.destination, proof.zone): proof for proof in report.proofs}
    assert found.keys() == {("exchange", "a"), ("exchange", "b"), ("mail", "a"), ("mail", "b")}
    for zone in "ab":
        proof = found["exchange", zone]
        assert proof.verdict == "proved"
        assert proof.observed == proof.declared
        assert (found["mail", zone].verdict, found["mail", zone].observed) == ("proved", proof.observed), "by name"
    assert found["exchange", "a"].observed != found["exchange", "b"].observed


LINKED = """
  dev:
    zones: 2
    egress: per-zone
    links: { core: { peer: 203.0.113.20, networks: [10.21.0.0/16], secret: [vpn-1, vpn-2] } }
    destinations: { core-api: { link: core, to: 10.21.4.17:8443 } }
"""


def test_what_lies_behind_a_link_is_proved_while_a_tunnel_is_up_and_its_outages_are_on_record(bench: Bench) -> None:
    text = OUTSIDE.replace("\n  dev: { zones: 2, egress: per-zone }\n", LINKED).replace("[api, ", "[core-api, api, ")
    bench.up(text)
    bench.clock.sleep(10.0)
    report = bench.control.prove_links(bench.at(None))
    assert {(proof.destination, proof.verdict) for proof in report.proofs} == {("core-api", "silent")}
    (down,) = [one for one in bench.control.status(bench.at(text)).findings if one.subject == "link core"]
    assert down.text.endswith("an incident is due")
    list(bench.control.datacentre(bench.at(None), "ana", wanted=True))
    bench.clock.sleep(1.0)
    bench.control._means.tick(KEY)
    report = bench.control.prove_links(bench.at(None))
    assert {(proof.destination, proof.verdict) for proof in report.proofs} == {("core-api", "proved")}
    assert report.links[0].by == 1
    assert not [one for one in bench.control.status(bench.at(text)).findings if one.subject == "link core"]
    bench.engine.cut_link(KEY, "core", None, 20.0)
    for _ in range(60):
        bench.clock.sleep(1.0)
        bench.control._means.tick(KEY)
    told = [one for one in reversed(bench.control.commands(bench.at(None))) if one.what.startswith("link core: ")]
    assert [one.what.partition(", since")[0] for one in told] == [
        "link core: no tunnel carries", "link core: a tunnel carries again",
    ] * 2  # fmt: skip
    assert {(one.who, one.outcome) for one in told} == {("anden", Outcome.DONE)}
    assert "tunnel 1: 203.0.113.20 does not answer" in told[-1].detail
    assert told[-1].detail.startswith("after ")


def test_links_cannot_be_proved_where_none_is_declared(bench: Bench) -> None:
    bench.up(OUTSIDE)
    with pytest.raises(Problems, match="declares no link"):
        bench.control.prove_links(bench.at(None))


# logs, exec, the record, who.


def test_logs(bench: Bench) -> None:
    bench.up()
    assert {line.instance for line in bench.control.logs(bench.at(), None, 100, False) if line} == {
        "web-1",
        "web-2",
        "api-1",
    }
    followed = bench.control.logs(bench.at(None), "api", 1, True)
    first = next(followed)
    assert first is not None
    assert first.instance == "api-1"
    assert next(followed) is None
    with pytest.raises(Problems):
        list(bench.control.logs(bench.at(), "nobody", 1, False))


def test_exec_in_an_instance_or_the_first_healthy_one_is_recorded_without_its_arguments(bench: Bench) -> None:
    bench.up()
    done = bench.control.exec(bench.at(None), "ana", "web", ["echo", "s3cret"], b"", 1.0)
    assert (done.code, done.stdout) == (0, "s3cret\n")
    assert bench.control.exec(bench.at(None), "ana", "web-2", ["env"], b"", 1.0).stdout.count("web-2") == 1
    command = bench.control.commands(bench.at())[1]
    assert (command.what, command.outcome, command.detail) == ("exec web-1 echo", Outcome.DONE, "exit 0")
    assert "s3cret" not in str(bench.control.commands(bench.at()))
    with pytest.raises(Problems, match="no such instance or service"):
        bench.control.exec(bench.at(None), "ana", "wbe", ["true"], b"", 1.0)


def test_a_caller_who_leaves_is_on_record_and_until_when_at_the_latest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.up()
    closed: list[str] = []

    def attended(*words: object) -> Iterator[Exec | None]:
        try:
            while True:
                yield None
        finally:
            closed.append(str(words[-1]))

    monkeypatch.setattr(bench.engine, "start_limit_s", 300.0, raising=False)
    monkeypatch.setattr(bench.engine, "attended", attended)
    under_way = bench.control.attended(bench.at(None), "ana", "web", ["sleep", "9"], b"", 60.0)
    assert next(under_way) is None
    until = datetime.fromtimestamp(bench.clock.now() + 360.0, UTC)
    under_way.close()  # type: ignore[attr-defined]
    command = bench.control.commands(bench.at())[0]
    assert command.what == f"exec web-1 sleep, until {until:%Y-%m-%dT%H:%M:%SZ}"
    assert (command.outcome, command.detail) == (Outcome.FAILED, "its caller left")
    assert closed == [command.who]


def test_the_record_of_one_environment_or_of_all(bench: Bench) -> None:
    text = TWO + "environments: { dev: {}, qa: {} }\n"
    bench.up(text)
    bench.run(bench.control.up(bench.at(text, "qa"), "ana"))
    assert len(bench.control.commands(bench.at())) == 1
    assert len(bench.control.commands(bench.at(None, None))) == 2
    assert len(bench.control.commands(bench.at(None, None), most=1)) == 1


def test_who_is_one_printable_line() -> None:
    assert named("ana (via sudo)") == "ana (via sudo)"
    assert named("ana\nroot\x1b[2J") == "ana root [2J"
    assert named("\n") == "unknown"
    assert len(named("x" * 1000)) == MOST_WHO


def test_the_gateway_is_really_asked_when_there_is_a_way(bench: Bench) -> None:
    asked: list[str] = []

    def knock(url: str) -> int | None:
        asked.append(url)
        return 503

    bench.control = Control(bench.engine, SimulatedImages(), bench.store, bench.clock, InlineRunner(), knock)
    bench.up()
    assert asked == ["http://127.0.0.1:8080/"]
    assert bench.text().splitlines()[-1] == "! gateway / → 503"
    assert bench.store.target(KEY) is not None
