"""State in the account's own bucket, with the roles' own credentials: who wins, lost answers, rebuilding."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.account.enforcing import CLIENT, Ground
from tests.emulator.account.interleaving import run
from tests.emulator.account.table import BUCKET

from anden.engines.aws.journal import Journal
from anden.engines.aws.lock import LASTS_S, SKEW_S, Lock
from anden.engines.aws.objects import Object, Objects
from anden.engines.aws.state import Held, State
from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.change import ChangeState
from anden.model.command import Outcome
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.ports import Target
from anden.model.problem import Problems

BLUEPRINT = codec.from_json(
    Blueprint, (Path(__file__).parents[2] / "golden" / "client" / "production" / "blueprint.json").read_bytes()
)
_names = (f"env-{number}" for number in count(1))
OPERATORS = 6
SEEDS = range(40)


class Clock:
    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture(scope="session")
def roles(ground: Ground) -> Ground:
    for person, role in (("ana", "sre"), ("luis", "developer"), ("maria", "auditor")):
        ground.take(person, f"anden-{role}")
    return ground


@pytest.fixture
def environment() -> str:
    return next(_names)


def state(
    roles: Ground, clock: Clock | None = None, who: str = "anden-sre", writer: str = "w", client: Any = None
) -> State:
    return State(client or roles.client("s3", who), BUCKET, CLIENT, clock or Clock(), writer)


def target(environment: str, gateway: str = "") -> Target:
    key = EnvironmentKey(CLIENT, environment, EngineName.AWS)
    return Target(key, BLUEPRINT.digest, "/home/ana/bank", gateway, {"accounts": 3}, {}, {})


def take(its: State, environment: str, holder: str, who: str = "ana") -> Held:
    return its.take(environment, who=who, holder=holder, purpose="up")


def said(found: pytest.ExceptionInfo[Problems]) -> str:
    (problem,) = found.value.problems
    assert problem.where
    assert problem.fix
    return str(problem)


# One operator.


def test_what_one_wrote_another_machine_reads(roles: Ground, environment: str) -> None:
    ours = state(roles)
    ours.put_blueprint(BLUEPRINT)
    held = ours.put_target(take(ours, environment, "h1"), target(environment, "https://api.banco.example"))
    ours.release(held)
    theirs = state(roles, who="anden-auditor")
    assert theirs.target(environment) == target(environment, "https://api.banco.example")
    assert theirs.blueprint(BLUEPRINT.digest) == BLUEPRINT
    assert theirs.who(environment) is None
    assert environment in theirs.environments()


def test_the_same_blueprint_again_is_no_error_and_changes_nothing(roles: Ground) -> None:
    ours = state(roles)
    ours.put_blueprint(BLUEPRINT)
    ours.put_blueprint(replace(BLUEPRINT, parent=BLUEPRINT.digest))
    assert ours.blueprint(BLUEPRINT.digest).parent == BLUEPRINT.parent


def test_what_was_never_kept_is_not_there(roles: Ground) -> None:
    with pytest.raises(KeyError):
        state(roles).blueprint(Digest(BLUEPRINT.digest.replace("a", "b")))
    assert state(roles).target("never") is None
    assert state(roles).kept("never") is None


def test_a_target_is_taken_back_by_none(roles: Ground, environment: str) -> None:
    ours = state(roles)
    held = ours.put_target(take(ours, environment, "h1"), target(environment))
    held = ours.put_target(held, None)
    assert ours.target(environment) is None
    assert ours.kept(environment) is not None
    with pytest.raises(ValueError, match="under the lock of"):
        ours.put_target(held, target("another"))


# Two operators.


def test_of_many_at_once_one_wins(roles: Ground) -> None:
    for _ in range(5):
        environment = next(_names)
        operators = [state(roles, writer=f"w{each}") for each in range(OPERATORS)]

        def attempt(number: int, environment: str = environment, operators: list[State] = operators) -> str:
            try:
                return take(operators[number], environment, f"h{number}", f"operator {number}").lock.holder
            except Problems as refused:
                return str(refused)

        with ThreadPoolExecutor(OPERATORS) as at_once:
            answers = list(at_once.map(attempt, range(OPERATORS)))
        winners = [answer for answer in answers if answer.startswith("h")]
        assert len(winners) == 1, answers
        name = winners[0].replace("h", "operator ")
        assert all(f"{name} has held it for `up`" in each for each in answers if each not in winners)


def test_the_second_hears_who_has_it_and_for_how_long(roles: Ground, environment: str) -> None:
    clock = Clock()
    ours, theirs = state(roles, clock), state(roles, clock)
    held = take(ours, environment, "h1", "ana")
    clock.at += 100
    with pytest.raises(Problems) as found:
        take(theirs, environment, "h2", "luis")
    left = round(LASTS_S + SKEW_S - 100)
    assert said(found) == (
        f"{CLIENT}/{environment}, aws: somebody else is changing it; ana has held it for `up`, for {left} s more unless"
        f" they renew it. Wait, or ask ana. When their machine is gone, the lock is free after that."
    )
    ours.release(held)
    assert take(theirs, environment, "h2", "luis").lock.generation == 2


def test_renewing_keeps_it(roles: Ground, environment: str) -> None:
    clock = Clock()
    ours, theirs = state(roles, clock), state(roles, clock)
    held = take(ours, environment, "h1")
    for _ in range(5):
        clock.at += LASTS_S - SKEW_S
        held = ours.renew(held)
    with pytest.raises(Problems, match="somebody else is changing it"):
        take(theirs, environment, "h2")
    assert ours.put_target(held, target(environment)).kept.target == target(environment)


def test_a_lost_laptop_s_lock_is_taken_over_and_the_laptop_can_write_no_more(roles: Ground, environment: str) -> None:
    """Even when its clock stood still while it slept: S3 refuses, not the clock."""
    asleep, awake = Clock(), Clock()
    ours, theirs = state(roles, asleep), state(roles, awake)
    held = ours.put_target(take(ours, environment, "h1"), target(environment, "ours"))
    awake.at += LASTS_S + SKEW_S
    taken = take(theirs, environment, "h2", "luis")
    assert taken.kept.target == target(environment, "ours")
    with pytest.raises(Problems, match="not ours to change any more"):
        ours.put_target(held, target(environment, "late"))
    with pytest.raises(Problems, match="not ours to change any more"):
        ours.renew(held)
    ours.release(held)
    assert theirs.who(environment) == taken.lock
    assert theirs.target(environment) == target(environment, "ours")


def test_a_holder_whose_time_is_nearly_over_does_not_write(roles: Ground, environment: str) -> None:
    clock = Clock()
    ours = state(roles, clock)
    held = take(ours, environment, "h1")
    clock.at += LASTS_S - SKEW_S
    with pytest.raises(Problems, match="not ours to change any more"):
        ours.put_target(held, target(environment))
    assert ours.put_target(ours.renew(held), target(environment)).kept.target is not None


class Unstamped(State):
    """A planted fault: it takes the lock and leaves the target as it is."""

    def _stamp(self, environment: str, ours: Lock, lock_object: Object) -> Held:
        found = self._objects.get(f"environments/{environment}/target.json")
        if found is None:
            return super()._stamp(environment, ours, lock_object)
        kept = replace(self._kept(environment, found), generation=ours.generation)
        return Held(environment, ours, kept, lock_object, found)


def contend(roles: Ground, environment: str, seed: int, made: type[State]) -> tuple[list[int], bool]:
    """Three operators whose clocks are so far apart that each takes the lock from the one before: the worst case.
    The generations that the target's own history has, oldest first, and whether all that was acknowledged is in it."""
    acknowledged: list[tuple[int, str]] = []

    def act(number: int) -> Any:
        def attempt(client: Any) -> None:
            its = made(client, BUCKET, CLIENT, Clock(1_000_000.0 * (number + 1)), f"w{number}")
            try:
                held = take(its, environment, f"h{number}")
                for word in ("first", "second"):
                    held = its.put_target(held, target(environment, f"{number} {word}"))
                    acknowledged.append((held.lock.generation, f"{number} {word}"))
                its.release(held)
            except Problems as refused:
                assert "ours" in str(refused) or "somebody else" in str(refused)  # noqa: PT017

        return attempt

    run(seed, [roles.client("s3", "anden-sre") for _ in range(3)], [act(number) for number in range(3)])
    versions = history(roles, f"environments/{environment}/target.json")
    written = {(each["generation"], each["target"]["gateway"]) for each in versions if each["target"]}
    assert acknowledged, "nobody got through"
    return [each["generation"] for each in versions], set(acknowledged) <= written


@pytest.mark.parametrize("seed", SEEDS)
def test_no_order_of_calls_lets_an_earlier_holder_write_over_a_later_one(roles: Ground, seed: int) -> None:
    generations, kept = contend(roles, f"order-{seed}", seed, State)
    assert generations == sorted(generations)
    assert kept


def test_the_orders_tried_find_a_lock_that_does_not_stamp(roles: Ground) -> None:
    found = (contend(roles, f"unstamped-{seed}", seed, Unstamped)[0] for seed in SEEDS)
    assert any(generations != sorted(generations) for generations in found)


def history(roles: Ground, key: str) -> list[Any]:
    """Everything that an object ever held, oldest first, read as the account's root."""
    s3 = roles.client("s3")
    versions = s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    ids = [each["VersionId"] for each in reversed(versions)]
    return [json.loads(s3.get_object(Bucket=BUCKET, Key=key, VersionId=each)["Body"].read()) for each in ids]


# Answers that get lost.


class Deaf:
    """A client that hears no answer to its first attempt at a write, and tries again, as botocore does."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put_object(self, **words: Any) -> Any:
        self._client.put_object(**words)
        return self._client.put_object(**words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_a_write_whose_answer_got_lost_counts_once(roles: Ground, environment: str) -> None:
    ours = state(roles, client=Deaf(roles.client("s3", "anden-sre")))
    ours.put_blueprint(BLUEPRINT)
    held = take(ours, environment, "h1")
    held = ours.renew(ours.put_target(held, target(environment)))
    journal = ours.journal(environment)
    command = journal.begin_command("ana", "anden up", 1.0)
    journal.end_command(command.id, Outcome.DONE, "", 2.0)
    ours.release(held)
    assert state(roles).who(environment) is None
    assert [(each.id, each.outcome) for each in state(roles).journal(environment).commands()] == [(1, Outcome.DONE)]
    assert state(roles).journal(environment).verify().entries == 2


# The journal.


def journal(roles: Ground, environment: str, writer: str) -> Journal:
    key = EnvironmentKey(CLIENT, environment, EngineName.AWS)
    return Journal(Objects(roles.client("s3", "anden-sre"), BUCKET), key, writer)


def test_two_operators_write_one_journal(roles: Ground, environment: str) -> None:
    each = 15

    def write(writer: str) -> list[int]:
        its = journal(roles, environment, writer)
        return [its.begin_command(writer, f"command {number}", float(number)).id for number in range(each)]

    with ThreadPoolExecutor(2) as at_once:
        first, second = at_once.map(write, ("ana", "luis"))
    assert sorted(first + second) == list(range(1, 2 * each + 1))
    read = journal(roles, environment, "reader")
    assert read.verify().fault == ""
    assert {command.id for command in read.commands(100) if command.who == "ana"} == set(first)


def test_changes_go_as_in_a_machine_s_own_store(roles: Ground, environment: str) -> None:
    ours = journal(roles, environment, "w1")
    command = ours.begin_command("ana", "anden up", 1.0)
    first = ours.open_change(BLUEPRINT.digest, None, command.id, 2.0)
    second = ours.open_change(BLUEPRINT.digest, BLUEPRINT.digest, command.id, 3.0)
    ours.move_change(second.id, ChangeState.VERIFIED, 4.0, "all healthy", ("GET / → 200",))
    theirs = journal(roles, environment, "w2")
    assert [(each.id, each.state) for each in theirs.changes()] == [
        (second.id, ChangeState.VERIFIED), (first.id, ChangeState.SUPERSEDED)
    ]  # fmt: skip
    assert theirs.changes()[0].evidence == ("GET / → 200",)
    with pytest.raises(ValueError, match="has ended as verified"):
        theirs.move_change(second.id, ChangeState.FAILED, 5.0)
    theirs.end_command(command.id, Outcome.DONE, "", 6.0)
    with pytest.raises(ValueError, match="has ended as done"):
        ours.end_command(command.id, Outcome.FAILED, "", 7.0)
    with pytest.raises(ValueError, match="under an id of the process"):
        journal(roles, environment, "reader").begin_command("ana", "x", 1.0)


@pytest.mark.parametrize(
    ("harm", "fault"),
    [("change", "audit 2: not what was written"), ("cut out", "audit 2: missing"),
     ("cut off", "audit 3: missing, the target names 3"), ("rewrite", "audit 3: not the entry that the target names")],
)  # fmt: skip
def test_what_was_done_to_a_journal_shows(roles: Ground, environment: str, harm: str, fault: str) -> None:
    """By somebody whom no policy stops: the emulator's root."""
    ours = state(roles)
    record = ours.journal(environment)
    for number in range(3):
        record.begin_command("ana", f"command {number}", float(number))
    ours.put_target(take(ours, environment, "h1"), target(environment))
    root, folder = roles.client("s3"), f"environments/{environment}/journal/"
    wanted = "000000000002.json" if harm in ("change", "cut out") else "000000000003.json"
    body = root.get_object(Bucket=BUCKET, Key=folder + wanted)["Body"].read()
    if harm.startswith("cut"):
        root.delete_object(Bucket=BUCKET, Key=folder + wanted)
    else:
        other = body.replace(b"command 2", b"kommand 2") if harm == "rewrite" else body.replace(b"audit", b"").replace(
            b'"number":2', b'"number":7')  # fmt: skip
        root.put_object(Bucket=BUCKET, Key=folder + wanted, Body=other)
    kept = state(roles).kept(environment)
    assert kept is not None
    assert state(roles).journal(environment).verify(kept.head).fault == fault


def test_nothing_is_added_to_a_journal_that_was_harmed(roles: Ground, environment: str) -> None:
    record = journal(roles, environment, "w1")
    for number in range(3):
        record.begin_command("ana", f"command {number}", float(number))
    root = roles.client("s3")
    root.delete_object(Bucket=BUCKET, Key=f"environments/{environment}/journal/000000000002.json")
    theirs = journal(roles, environment, "w2")
    with pytest.raises(Problems, match="the record is not what was written; audit 2: missing"):
        theirs.begin_command("luis", "command", 9.0)


# Everything back.


def test_everything_is_read_back_from_the_bucket_alone(roles: Ground, environment: str) -> None:
    ours = state(roles)
    parent = replace(BLUEPRINT, images={name: replace(image, name="old") for name, image in BLUEPRINT.images.items()})
    ours.put_blueprint(parent)
    ours.put_blueprint(BLUEPRINT)
    held = take(ours, environment, "h1")
    record = ours.journal(environment)
    command = record.begin_command("ana", "anden up", 1.0)
    change = record.open_change(BLUEPRINT.digest, parent.digest, command.id, 2.0)
    held = ours.put_target(held, target(environment))
    change = record.move_change(change.id, ChangeState.VERIFIED, 3.0)
    command = record.end_command(command.id, Outcome.DONE, "", 4.0)
    ours.release(held)
    back = state(roles, who="anden-auditor").rebuild()
    assert target(environment) in back.targets
    assert back.blueprints[BLUEPRINT.digest] == BLUEPRINT
    assert parent.digest in back.blueprints
    assert (back.changes[environment], back.commands[environment]) == ((change,), (command,))
    assert not [fault for fault in back.faults if environment in fault.where]


def test_what_cannot_be_used_is_told_and_the_rest_is_there(roles: Ground, environment: str) -> None:
    root, name = roles.client("s3"), "sha256-" + "ab" * 32
    ours = state(roles)
    ours.put_target(
        take(ours, environment, "h1"), replace(target(environment), blueprint=Digest(f"sha256:{'cd' * 32}"))
    )
    root.put_object(Bucket=BUCKET, Key=f"blueprints/{name}.json", Body=codec.to_json(BLUEPRINT).encode())
    root.put_object(Bucket=BUCKET, Key="environments/torn/target.json", Body=b'{"generation": 1')
    root.put_object(Bucket=BUCKET, Key="environments/torn/lock.json", Body=b"")
    try:
        back = state(roles).rebuild()
        faults = {fault.where: fault.why or fault.what for fault in back.faults}
        assert faults[f"s3://{BUCKET}/blueprints/{name}.json"] == f"its content has another digest: {BLUEPRINT.digest}"
        assert faults[f"s3://{BUCKET}/environments/torn/target.json"].startswith(": Invalid JSON")
        assert "is not in the bucket" in faults[f"target of {environment}"]
        assert environment in {each.key.environment for each in back.targets}
        with pytest.raises(Problems, match="it cannot be used"):
            take(state(roles), "torn", "h1")
    finally:
        for key in (f"blueprints/{name}.json", "environments/torn/target.json", "environments/torn/lock.json"):
            root.delete_object(Bucket=BUCKET, Key=key)


# Refused.


@pytest.mark.parametrize("role", ["developer", "auditor"])
def test_who_may_only_look_hears_which_role_may(roles: Ground, environment: str, role: str) -> None:
    with pytest.raises(Problems) as found:
        take(state(roles, who=f"anden-{role}"), environment, "h1")
    assert f"AWS does not let us write environments/{environment}/lock.json" in said(found)
    assert "anden-sre" in said(found)


def test_an_account_that_was_not_set_up_is_told(roles: Ground) -> None:
    with pytest.raises(Problems) as found:
        State(roles.client("s3"), "anden-nobody-000000000000", CLIENT, Clock()).target("production")
    assert "NoSuchBucket" in said(found)
    assert "Set the account up first" in said(found)
