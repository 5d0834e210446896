"""Issuers' keys that are fetched: at `up`, and then by themselves; down, rotated, and after every kind of restart."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests import tokens
from tests.unit.control.bench import KEY, Bench

from anden.control.environment import Control
from anden.control.runner import InlineRunner
from anden.engines.simulated import SimulatedImages
from anden.model.command import FETCHED, Outcome
from anden.model.configuration import Configuration
from anden.model.finding import Severity
from anden.model.issuer import Answer
from anden.model.plan import Configure
from anden.model.problem import Problem
from anden.planning.issuers import REFRESH_S, SOONER_S
from anden.planning.steps import Rollout

ID, OTHER = "https://id.bank.example", "https://staff.bank.example"
FIRST, SECOND = tokens.ec_signer("first"), tokens.ec_signer("second")
DAY_S = 86_400.0
MANIFEST = f"""
anden: 1
client: banco
auth:
  customers: {{ issuer: {ID}, audience: bank }}
services:
  web: {{ image: web:1.0, port: 8080, route: {{ path: /, auth: customers }} }}
  open: {{ image: open:1.0, port: 8080, route: /open }}
"""
DOWN = Problem(f"{ID}/.well-known/openid-configuration", "it does not answer", "Connection refused", "Look.")


class Table:
    """Issuers by a table. late: work that is to be done beside stays here until somebody does it."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {ID: (FIRST.public,)}
        self.asked: list[str] = []
        self.late: list[Callable[[], None]] | None = None

    def fetch(self, issuers: Sequence[str]) -> Mapping[str, Answer]:
        self.asked += issuers
        return {each: self.answers.get(each, DOWN) for each in issuers}

    def jitter(self) -> float:
        return 1.0

    def beside(self, work: Callable[[], None]) -> None:
        if self.late is None:
            work()
        else:
            self.late.append(work)


class Bank(Bench):
    """A bench with issuers; remembers what the engine was told to apply."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.issuers = Table()
        super().__init__(folder, **options)

    def controlling(self, fuse: Any = None) -> Control:
        return Control(
            self.engine, SimulatedImages(), self.store, self.clock, InlineRunner(), issuers=self.issuers
        )  # fmt: skip

    def tick(self) -> Any:
        return self.control._means.tick(KEY)

    def passing(self, seconds: float) -> None:
        """So much later, two ticks: the first asks, the second does what follows of it."""
        self.clock.sleep(seconds)
        self.tick()
        self.tick()

    def applied(self) -> Configuration:
        """What the gateway would have now: observed to be applied, not only meant."""
        means = self.control._means
        target = self.target
        assert target.blueprint is not None
        way = means.reconciler._way(target, target.blueprint, None)
        assert isinstance(way.rollout, Rollout)
        made = way.rollout._configured("narrow")[0]
        assert self.engine.observe(KEY).configuration == made.digest
        return made

    def keys(self, path: str = "/") -> list[str]:
        """Ids of the keys by which tokens of a path are verified; none when it is closed."""
        (route,) = [each for each in self.applied().routes if each.path == path]
        assert (route.guard is None) == bool(route.refused)
        return [key.id for key in route.guard.keys] if route.guard else []

    def rotations(self) -> list[tuple[str, str]]:
        """Newest first, with the ids only."""
        found = [one for one in self.store.commands(KEY) if one.what == f"{FETCHED} {ID}"]
        assert all(one.outcome == Outcome.DONE for one in found)
        return [(one.who, re.sub(r" \([0-9a-f]{8}\)", "", one.detail)) for one in found]

    def found(self) -> list[tuple[Severity, str]]:
        report = self.control.status(self.at(MANIFEST))
        return [(each.severity, each.text) for each in report.findings if each.subject.startswith("auth")]


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)


def test_they_are_fetched_before_anything_is_changed(bank: Bank) -> None:
    assert bank.up(MANIFEST).outcome == Outcome.DONE
    assert bank.keys() == ["first"]
    assert "keys of https://id.bank.example: new: first" in bank.text()
    assert bank.found() == []
    report = bank.control.plan(bank.at(MANIFEST))
    assert (report.differences, report.steps) == ((), ())
    assert bank.control.status(bank.at(MANIFEST)).matches_manifest


def test_a_blueprint_keeps_its_name_whatever_the_keys(bank: Bank) -> None:
    bank.up(MANIFEST)
    before, changes = bank.target.blueprint, len(bank.store.changes(KEY))
    assert before is not None
    bank.issuers.answers[ID] = (SECOND.public,)
    bank.passing(2 * REFRESH_S)
    assert (bank.target.blueprint, len(bank.store.changes(KEY))) == (before, changes)
    assert bank.store.blueprint(before).topology.auth[0].keys == ()


def test_what_rotates_needs_nobody_and_is_on_record(bank: Bank) -> None:
    bank.up(MANIFEST)
    instances = bank.engine.observe(KEY).instances
    bank.issuers.answers[ID] = (FIRST.public, SECOND.public)
    bank.passing(2 * REFRESH_S)
    assert bank.keys() == ["first", "second"]
    bank.issuers.answers[ID] = (SECOND.public,)
    bank.passing(2 * REFRESH_S)
    assert bank.keys() == ["second"], "one that was taken back is refused"
    assert bank.rotations() == [("anden", "gone: first"), ("anden", "new: second"), ("anden", "new: first")]
    assert bank.engine.observe(KEY).instances == instances


def test_another_key_by_the_same_id_is_another_key(bank: Bank) -> None:
    bank.up(MANIFEST)
    other = tokens.Signer("first", SECOND.private).public
    bank.issuers.answers[ID] = (other,)
    bank.passing(2 * REFRESH_S)
    assert bank.applied().routes[0].guard.keys == (other,)  # type: ignore[union-attr]
    assert bank.rotations() == [("anden", "other by the same id: first"), ("anden", "new: first")]


def test_an_issuer_is_asked_every_ten_minutes_at_most(bank: Bank) -> None:
    bank.up(MANIFEST)
    bank.issuers.asked.clear()
    for _ in range(100):
        bank.passing(REFRESH_S / 50)
    assert len(bank.issuers.asked) == 1, "1,200 s, and 660 s between two with the whole jitter"


def test_a_token_by_an_unknown_key_has_the_issuer_asked_sooner_and_no_more_often_than_that(bank: Bank) -> None:
    bank.up(MANIFEST)
    bank.issuers.answers[ID] = (FIRST.public, SECOND.public)
    bank.issuers.asked.clear()
    bank.passing(SOONER_S + 1)
    assert bank.issuers.asked == [], "nobody has shown one"
    bank.engine.strangers = (OTHER,)
    bank.passing(1)
    assert bank.issuers.asked == [], "nor is somebody else's ours"
    bank.engine.strangers = (ID, OTHER)
    bank.passing(0)
    assert (bank.issuers.asked, bank.keys()) == ([ID], ["first", "second"])
    for _ in range(100):
        bank.passing(SOONER_S / 10)
    assert len(bank.issuers.asked) == 1 + 10
    bank.issuers.answers.clear()
    bank.issuers.asked.clear()
    for _ in range(100):
        bank.passing(SOONER_S / 10)
    assert len(bank.issuers.asked) == 10, "also while it is down"


@pytest.mark.parametrize("days", [-10, 10])
def test_a_clock_that_was_set_silences_nobody(bank: Bank, days: int) -> None:
    bank.up(MANIFEST)
    bank.clock.jump(days * DAY_S)
    bank.issuers.answers[ID] = (SECOND.public,)
    bank.passing(0)
    assert bank.keys() == ["second"]
    bank.issuers.asked.clear()
    bank.passing(1)
    assert bank.issuers.asked == []


def test_while_one_answer_is_awaited_no_other_is(bank: Bank) -> None:
    bank.up(MANIFEST)
    bank.issuers.late = []
    bank.passing(2 * REFRESH_S)
    bank.passing(2 * REFRESH_S)
    (work,) = bank.issuers.late
    work()
    bank.passing(2 * REFRESH_S)
    assert len(bank.issuers.late) == 2


def test_an_issuer_that_is_down_locks_nobody_out_and_that_is_said(bank: Bank) -> None:
    bank.up(MANIFEST)
    bank.issuers.answers.clear()
    bank.passing(2 * REFRESH_S)
    bank.passing(2 * REFRESH_S)
    assert bank.keys() == ["first"]
    ((severity, text),) = bank.found()
    assert severity is Severity.WARNING
    assert text == (
        "no good answer since 2023-11-14 22:33:20 UTC: it does not answer; the keys of 2023-11-14 22:13:20 UTC stay"
    )
    bank.passing(8 * DAY_S)
    assert bank.keys() == ["first"]
    assert [severity for severity, _ in bank.found()] == [Severity.TROUBLE]
    assert bank.rotations() == [("anden", "new: first")]
    bank.issuers.answers[ID] = (FIRST.public,)
    bank.passing(2 * REFRESH_S)
    assert bank.found() == []


def test_up_while_it_is_down_keeps_the_last_good_ones(bank: Bank) -> None:
    bank.up(MANIFEST)
    bank.issuers.answers.clear()
    assert bank.up(MANIFEST).outcome == Outcome.DONE
    assert bank.keys() == ["first"]
    assert "no newer keys can be fetched: those of 2023-11-14 22:13:20 UTC stay" in bank.text()


def test_without_any_key_the_route_is_closed_until_there_is_one(bank: Bank) -> None:
    bank.issuers.answers.clear()
    report = bank.control.plan(bank.at(MANIFEST))
    (warning,) = report.warnings
    assert warning.what == "its keys cannot be fetched: its routes answer 503"
    assert (warning.where, warning.fix) == ("auth/customers (anden.yaml:5)", "Look.")
    assert any("answers 503" in each.text for each in report.caveats)
    assert bank.up(MANIFEST).outcome == Outcome.DONE
    assert "its keys cannot be fetched: its routes answer 503" in bank.text()
    assert bank.keys() == []
    assert [severity for severity, _ in bank.found()] == [Severity.TROUBLE]
    bank.issuers.answers[ID] = (FIRST.public,)
    bank.passing(2 * REFRESH_S)
    assert bank.keys() == ["first"]


def test_a_plan_asks_and_records_nothing(bank: Bank) -> None:
    report = bank.control.plan(bank.at(MANIFEST))
    assert report.warnings == ()
    assert bank.issuers.asked == [ID]
    assert bank.store.target(KEY) is None


def test_the_last_good_ones_outlive_control_and_the_environment_s_death(tmp_path: Path) -> None:
    bank = Bank(tmp_path, file=True)
    bank.up(MANIFEST)
    bank.issuers.answers.clear()
    bank.crash()
    bank.engine.vanish(KEY)
    bank.settle()
    assert bank.keys() == ["first"]


def test_a_rotation_while_the_control_plane_is_away_is_found_by_the_next_one(tmp_path: Path) -> None:
    bank = Bank(tmp_path, file=True)
    bank.up(MANIFEST)
    bank.issuers.answers[ID] = (SECOND.public,)
    bank.clock.sleep(2 * REFRESH_S)
    bank.crash()
    bank.passing(0)
    assert bank.keys() == ["second"]


def test_what_came_meanwhile_is_not_undone_by_an_older_answer(bank: Bank) -> None:
    bank.up(MANIFEST)
    bank.issuers.late = []
    bank.passing(2 * REFRESH_S)
    before, means = bank.target, bank.control._means
    known = means.fetching._ask([ID], before.issuers, bank.clock.now())
    bank.clock.sleep(1)
    bank.issuers.answers[ID] = (SECOND.public,)
    bank.up(MANIFEST)
    assert bank.keys() == ["second"]
    assert not means.fetching._kept(KEY, before.issuers, known)
    assert bank.keys() == ["second"]


def test_another_issuer_takes_over_and_the_first_is_not_asked_any_more(bank: Bank) -> None:
    bank.up(MANIFEST)
    bank.issuers.answers[OTHER] = (SECOND.public,)
    bank.up(MANIFEST.replace(ID, OTHER))
    assert bank.keys() == ["second"]
    bank.issuers.asked.clear()
    bank.passing(2 * REFRESH_S)
    assert (bank.issuers.asked, list(bank.target.issuers)) == ([OTHER], [OTHER])
    bank.issuers.answers[ID] = (FIRST.public,)
    assert bank.run(bank.control.rollback(bank.at(MANIFEST), "ana")).outcome == Outcome.DONE
    assert bank.keys() == ["first"]


def test_keys_rotated_in_the_middle_of_a_change_or_a_restart(bank: Bank) -> None:
    bank.up(MANIFEST)

    def run(told: Any, rotated: tokens.Signer) -> str:
        """A command to its end; as soon as its ticks have the issuer asked, that has another key."""
        bank.clock.sleep(2 * REFRESH_S)
        bank.issuers.late, outcome = [], ""
        for event in told:
            outcome = event.outcome if event is not None else outcome
            for work in bank.issuers.late[:]:
                bank.issuers.answers[ID] = (rotated.public,)
                bank.issuers.late.remove(work)
                work()
        bank.issuers.late = None
        return str(outcome)

    assert run(bank.control.restart(bank.at(MANIFEST), "ana"), SECOND) == Outcome.DONE
    assert bank.keys() == ["second"]
    deploy = bank.control.deploy(bank.at(MANIFEST), "ana", "web", "web:2.0")
    assert run(deploy, FIRST) == Outcome.DONE
    assert bank.keys() == ["first"]
    assert bank.images()["web"] == ["web:2.0"]


def test_without_a_place_to_ask_nothing_is_fetched_and_the_route_is_closed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.up(MANIFEST).outcome == Outcome.DONE
    assert bench.target.issuers == {}
    report = bench.control.status(bench.at(MANIFEST))
    assert [each for each in report.findings if each.subject.startswith("auth")] == []
    (made,) = (
        step.effect.configuration
        for step in Bench(tmp_path).control.plan(bench.at(MANIFEST)).steps
        if isinstance(step.effect, Configure)
    )
    assert "not fetched here" in next(route.refused for route in made.routes if route.path == "/")
