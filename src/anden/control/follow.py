"""Telling how it goes until it has ended: well, back where it was, or badly. Following changes nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from anden.control import keeping
from anden.control.means import Means
from anden.control.news import Done, Judged, News, Stuck, Ticked
from anden.control.progress import Progress, ended
from anden.control.record import Ending, Told, Work
from anden.control.rollouts import Way, last_wanted, removal_bound_s, way
from anden.control.urls import secured, url
from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.change import OPEN_STATES, Change, ChangeState, Verdict
from anden.model.command import Command, Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey, short
from anden.model.manners import BY_NAME, TWIN, label
from anden.model.mark import Mark, Marks
from anden.model.observation import Observation
from anden.model.ports import Clock, Target
from anden.model.problem import Problem, Problems

HEARTBEAT_S = 1.0
"""A follower that hears nothing tells a heartbeat this often, so that it can be closed."""
MARGIN_S = 60.0
"""How much longer than the bounds of its change a follower waits for ticks that do not come; and how long while none
can be made, after it has said why."""
DOWN_BOUND_S = 300.0
"""The longest that `down` waits for an environment to be gone; the local engine needs well under a minute."""
MOST_FAILED_ENDS = 3
"""Ticks in a row of a `down` over stacks that could not end one, before it is left to somebody to look."""
MOST_ROUTES = 8
"""Routes that are asked for at the end of `up`."""
MOST_EVIDENCE = 24
"""Lines of evidence that are told."""


def heading(key: EnvironmentKey, zones: int | None, more: str = "", manners: str = TWIN.name) -> Event:
    """`banco-andino/certification, twin, 1 zone`."""
    parts = [label(key, manners)]
    if zones is not None:
        parts.append(f"{zones} zone" + ("" if zones == 1 else "s"))
    return Event(EventKind.HEADING, text=", ".join([*parts, more] if more else parts))


def folder(target: Target) -> Path:
    """Where its manifest lies."""
    return Path(target.folder)


def marks(target: Target) -> Marks:
    """Where its manifest said what."""
    return {path: codec.from_data(Mark, mark) for path, mark in codec.from_json(dict, target.marks).items()}


def nothing_runs(client: str) -> Told:
    """`down` where there is nothing to take down, and nothing to record it under."""
    yield Event(EventKind.NOTE, "", f"{client}: nothing runs")
    yield Event(EventKind.END, outcome=Outcome.DONE.value, text="nothing runs")


def changed(means: Means, target: Target, blueprint: Blueprint, change: Change, seen: Observation) -> Work:
    """Follow a change to its end."""
    key = target.key
    its = _way(means, target, blueprint)
    quiet = change.previous is None and not its.by_stacks
    progress = Progress(blueprint, target, seen, means.clock, quiet=quiet, by_stacks=its.by_stacks)
    patience = _Patience(means.clock)
    for news in _ticks(means, key, its.bound_s * 2 + MARGIN_S):
        if (stuck := patience.lost(news)) is not None:
            yield from progress.of(stuck)
            return _unfollowed(key, stuck)
        if isinstance(news, Judged):
            if news.change.id == change.id and news.change.state in (ChangeState.ROLLING_BACK, ChangeState.FAILED):
                yield from _evidence(news.change.reason, news.change.evidence)
            if news.change.state is ChangeState.ROLLING_BACK and news.target.blueprint is not None:
                yield Event(EventKind.STEP, "change", f"rolling back to {short(news.target.blueprint)}", "…")
                before = means.store.blueprint(news.target.blueprint)
                progress = Progress(
                    before, news.target, news.observation, means.clock, quiet=False, by_stacks=its.by_stacks
                )
            continue
        yield from progress.of(news) if news else (None,)
        if not isinstance(news, Ticked):
            continue
        now = news.change
        if news.target is None or now is None or now.id > change.id or now.state is ChangeState.SUPERSEDED:
            return Ending(Outcome.FAILED, "another command took its place")
        if now.id == change.id and now.state not in OPEN_STATES:
            if now.state is ChangeState.VERIFIED:
                yield from _verified(means, blueprint, news, now)
            return _ending(now)
    return _unfollowed(key)


def settled(means: Means, target: Target, blueprint: Blueprint) -> Work:
    """Follow a target whose blueprint stays (another level, a restart) until it is so, or cannot be."""
    key, since = target.key, means.clock.monotonic()
    # It is judged as a change is, and is none: nothing would be gained by going back to the same blueprint.
    its = _way(means, target, blueprint)
    try:
        seen = means.observe(key)
    except Problems:
        seen = None  # it is acknowledged: what cannot be seen now will be
    progress = Progress(blueprint, target, seen, means.clock, quiet=False, by_stacks=its.by_stacks)
    patience = _Patience(means.clock)
    for ticked in _ticks(means, key, its.bound_s + MARGIN_S):
        yield from progress.of(ticked) if ticked else (None,)
        if (stuck := patience.lost(ticked)) is not None:
            return _unfollowed(key, stuck)
        if not isinstance(ticked, Ticked) or ticked.observation is None or ticked.began < since:
            continue
        if ticked.target is None or ticked.target.blueprint != target.blueprint:
            return Ending(Outcome.FAILED, "another command took its place")
        if ticked.target.issuers != target.issuers:  # keys were fetched meanwhile: the gateway follows them
            target = replace(target, issuers=ticked.target.issuers)
            its = _way(means, target, blueprint)
        worked_s = means.clock.monotonic() - since
        began, tried = means.clock.now() - worked_s, means.reconciler.tried(key)
        judgement = its.judge(ticked.observation, began, worked_s, tried)
        if judgement.verdict is Verdict.VERIFIED:
            if judgement.reason:
                yield Event(EventKind.NOTE, "", judgement.reason, "!")
            return Ending(Outcome.DONE)
        if judgement.verdict is Verdict.FAILED:
            yield from _evidence(judgement.reason, judgement.evidence)
            what, fix = "it did not settle", "What served before serves on; `anden status` shows what stands."
            return Ending(Outcome.FAILED, judgement.reason, Problem(str(key), what, judgement.reason, fix))
    return _unfollowed(key)


def gone(means: Means, key: EnvironmentKey, command: Command) -> Work:
    """Follow a removal until nothing is left."""
    began, told, failed = means.clock.monotonic(), "", 0
    stacks = removal_bound_s(last_wanted(means.engine, means.store, key))
    for ticked in _ticks(means, key, max(DOWN_BOUND_S, stacks)):
        if ticked is None:
            yield None
        elif isinstance(ticked, Ticked):
            if ticked.target is None:
                took = means.clock.monotonic() - began
                what = ", ".join(each.what for each in keeping.kept(ticked.observation))
                text = "nothing of it is left" + (" but what is kept" if what else "")
                yield Event(EventKind.STEP, key.environment, text, "✓", took)
                yield from keeping.told(key, ticked.observation)
                return Ending(Outcome.DONE, f"gone, but what is kept: {what}" if what else "")
            if ticked.problem is not None and str(ticked.problem) != told:
                told = str(ticked.problem)
                yield Event(EventKind.PROBLEM, problem=ticked.problem, sign="✗")
            failed = 0 if ticked.problem is None else failed + 1
            if stacks and failed >= MOST_FAILED_ENDS:
                why = "what is said above keeps it"
                fix = "Mend that, then `anden down` again: it goes on with what is left."
                return Ending(Outcome.FAILED, why, Problem(str(key), "some of it is still there", why, fix))
        elif isinstance(ticked, Event):
            yield ticked
        elif isinstance(ticked, Done) and stacks:
            yield from ended(ticked)
    return _unfollowed(key)


def _way(means: Means, target: Target, blueprint: Blueprint) -> Way:
    manners = BY_NAME[target.manners]
    return way(means.engine, target.key, blueprint, target.levels, target.generations, None, manners, target.issuers)


def _ticks(means: Means, key: EnvironmentKey, bound_s: float) -> Iterator[News | None]:
    """News of `key` from now on, a None for each heartbeat; ends after `bound_s`."""
    feed = means.feeds[key]
    number = feed.number
    deadline = means.clock.monotonic() + bound_s
    means.runner.signal(key)
    while means.clock.monotonic() < deadline:
        means.runner.advance(key, feed, number, HEARTBEAT_S)
        news, number = feed.since(number)
        yield from news or (None,)


def _evidence(reason: str, evidence: tuple[str, ...]) -> Iterator[Event]:
    yield Event(EventKind.STEP, "change", reason, "✗")
    for line in evidence[:MOST_EVIDENCE]:
        yield Event(EventKind.NOTE, "", line, "|")


def _verified(means: Means, blueprint: Blueprint, ticked: News, change: Change) -> Iterator[Event]:
    """Where it answers now, asked for really when there is a way to."""
    if change.reason:
        yield Event(EventKind.NOTE, "", change.reason, "!")
    seen = ticked.observation if isinstance(ticked, Ticked) else None
    gateway = seen.gateway if seen else None
    routes = [service for service in blueprint.topology.services if service.route is not None]
    for service in routes[:MOST_ROUTES] if gateway else []:
        route = service.route
        if route is None or route.host is not None:
            continue
        began = means.clock.monotonic()
        if means.knock is None:
            yield Event(EventKind.STEP, "gateway", f"{route.path} → {service.name}", "✓")
            continue
        status = means.knock(url(gateway or "", route.path))
        sign = "✓" if status is not None and status < 500 else "!"
        text = f"{route.path} → {status if status is not None else 'no answer'}"
        yield Event(EventKind.STEP, "gateway", text, sign, means.clock.monotonic() - began)
    if seen is not None and (asked := secured(seen.gateway_tls, blueprint.topology.domain)) is not None:
        text = f"{asked} at {seen.gateway_tls}, by a certificate of this twin's own authority (`anden trust`)"
        yield Event(EventKind.STEP, "gateway", text, "✓")


def _ending(change: Change) -> Ending:
    key, reason = change.key, change.reason
    if change.state is ChangeState.VERIFIED:
        return Ending(Outcome.DONE)
    if change.state is ChangeState.ROLLED_BACK and change.previous is not None:
        text = f"rolled back to {short(change.previous)}: {reason}"
        problem = Problem(
            str(key), f"rolled back to {short(change.previous)}", reason,
            "What ran before serves as it did. Mend what is said above, then try again.",
        )  # fmt: skip
        return Ending(Outcome.ROLLED_BACK, text, problem)
    what = "the change failed" if change.previous is not None else "it does not run as it should"
    fix = "Mend what is said above, then `anden up` again; `anden status` shows what stands."
    return Ending(Outcome.FAILED, reason or change.state.value, Problem(str(key), what, reason, fix))


class _Patience:
    """With ticks that cannot be made: a full disk, an engine that does not answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None

    def lost(self, news: News | None) -> Stuck | None:
        """Why it has been so for too long; None: it has not."""
        if isinstance(news, Ticked):
            self._since = None
        elif isinstance(news, Stuck):
            now = self._clock.monotonic()
            self._since = now if self._since is None else self._since
            return news if now - self._since > MARGIN_S else None
        return None


def _unfollowed(key: EnvironmentKey, stuck: Stuck | None = None) -> Ending:
    why = "the control plane could not tell for too long how it stands"
    fix = "`anden status` shows what stands, and the same command again goes on with it."
    if stuck is not None:
        why, fix = (
            f"{stuck.problem.where}: {stuck.problem.what}",
            f"{stuck.problem.fix} Then: {fix[0].lower()}{fix[1:]}",
        )
    return Ending(Outcome.FAILED, why, Problem(str(key), "it is not known how this ended", why, fix))
