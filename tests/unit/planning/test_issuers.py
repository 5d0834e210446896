"""Whom to ask for keys, when, and what an answer makes of what is known."""

from dataclasses import replace

import pytest
from tests.unit.planning.topologies import drafted, service, topology

from anden.model.issuer import Fetched
from anden.model.mark import Mark
from anden.model.problem import Problem
from anden.model.topology import Issuer, Route, Topology, VerifyingKey
from anden.planning.configuration import configure
from anden.planning.issuers import (
    REFRESH_S,
    SPREAD,
    answered,
    due,
    keyed,
    keyed_blueprint,
    merged,
    rotated,
    troubles,
)

A, B, C = (VerifyingKey(name, "ES256", f"pem of {name}") for name in "abc")
ID = "https://id.example"
DOWN = Problem(ID, "it does not answer", "Connection refused", "Look.")
GOOD = answered(None, (A,), 1000.0, 0.0)


def given(*issuers: Issuer, auth: str | None = "customers") -> Topology:
    return topology(service("web", route=Route("/", auth=auth)), service("worker", port=None), auth=issuers)


def test_who_is_asked() -> None:
    fetched = Issuer("customers", ID, "bank")
    assert given(fetched).fetched_issuers() == {ID}
    assert given(fetched, auth=None).fetched_issuers() == frozenset(), "no route asks for its tokens"
    assert given(replace(fetched, keys_file="keys.json", keys=(A,))).fetched_issuers() == frozenset()


def test_keys_of_a_file_are_never_replaced_by_fetched_ones() -> None:
    ours, theirs = Issuer("a", ID, "bank", "keys.json", (A,)), Issuer("b", ID, "staff")
    found = keyed(given(ours, theirs), {ID: Fetched((B,))})
    assert [each.keys for each in found.auth] == [(A,), (B,)]
    assert keyed(given(ours, theirs), {"https://other.example": Fetched((B,))}) == given(ours, theirs)


def test_other_keys_are_another_configuration_of_the_same_blueprint() -> None:
    plain = drafted(given(Issuer("customers", ID, "bank")))
    first, second = (keyed_blueprint(plain, {ID: Fetched((key,))}) for key in (A, B))
    assert plain.digest == first.digest == second.digest
    assert len({configure(each, None, ()).digest for each in (plain, first, second)}) == 3
    assert configure(plain, None, ()).routes[0].refused == "closed: nobody has the keys of customers"
    assert configure(first, None, ()).routes[0].guard.keys == (A,)  # type: ignore[union-attr]
    withdrawn = replace(first, topology=replace(first.topology, auth=(Issuer("customers", ID, "bank", "f", (A,)),)))
    assert withdrawn.digest != first.digest, "of a file they are part of what is meant"


@pytest.mark.parametrize(
    ("now", "is_"),
    [
        (1000.0, False), (999.0 + REFRESH_S, False), (1000.0 + REFRESH_S, True), (5000.0, True),
        (1000.0 - REFRESH_S, True), (0.0, True),
    ],
)  # fmt: skip
def test_when(now: float, is_: bool) -> None:
    assert due([ID], {ID: GOOD}, now) == ((ID,) if is_ else ())


def test_who_was_never_asked_is_asked_at_once_and_jitter_only_puts_it_off() -> None:
    assert due(["https://b", ID], {}, 0.0) == ("https://b", ID)
    last = answered(None, (A,), 1000.0, 1.0)
    assert last.again == pytest.approx(1000.0 + REFRESH_S * (1 + SPREAD))
    assert due([ID], {ID: last}, 1000.0) == ()


def test_good_keys_stay_until_better_ones_come() -> None:
    down = answered(GOOD, DOWN, 2000.0, 0.0)
    assert (down.keys, down.at, down.failing, down.problem) == ((A,), 1000.0, 2000.0, DOWN)
    still = answered(down, DOWN, 3000.0, 0.0)
    assert (still.failing, still.asked, still.again) == (2000.0, 3000.0, 3000.0 + REFRESH_S)
    again = answered(still, (B,), 4000.0, 0.0)
    assert again == Fetched((B,), 4000.0, 4000.0, 4000.0 + REFRESH_S)
    never = answered(None, DOWN, 5.0, 0.0)
    assert (never.keys, never.at, never.failing) == ((), None, 5.0)


def test_an_answer_counts_only_where_what_it_began_from_still_stands() -> None:
    newer = answered(GOOD, (B,), 2000.0, 0.0)
    older = answered(GOOD, (C,), 1999.0, 0.0)
    assert merged({ID: GOOD}, {ID: GOOD}, {ID: newer}) == {ID: newer}
    assert merged({ID: newer}, {ID: GOOD}, {ID: older}) == {ID: newer}
    assert merged({}, {}, {ID: newer}) == {ID: newer}
    assert merged({ID: newer}, {}, {ID: older}) == {ID: newer}
    set_back = answered(newer, (A,), 10.0, 0.0)
    assert merged({ID: newer}, {ID: newer}, {ID: set_back}) == {ID: set_back}


def test_what_changed_in_words() -> None:
    assert rotated(GOOD, GOOD) == ""
    assert rotated(None, answered(None, DOWN, 1.0, 0.0)) == ""
    said = rotated(Fetched((A, C)), Fetched((B, replace(C, pem="another"))))
    assert [part.rpartition(" (")[0] for part in said.split("; ")] == ["new: b", "gone: a", "other by the same id: c"]
    many = tuple(VerifyingKey(f"k{number}", "ES256", "pem") for number in range(8))
    assert rotated(None, Fetched(many)).endswith(" and 3 more")


def test_what_a_plan_says() -> None:
    one, marks = given(Issuer("customers", ID, "bank")), {"auth/customers": Mark("anden.yaml", 5)}
    assert troubles(one, {}, marks) == troubles(one, {ID: GOOD}, marks) == ()
    (never,) = troubles(one, {ID: answered(None, DOWN, 5.0, 0.0)}, marks)
    assert str(never) == (
        "auth/customers (anden.yaml:5): its keys cannot be fetched: its routes answer 503; "
        "https://id.example: it does not answer, Connection refused. Look."
    )
    (kept,) = troubles(one, {ID: answered(GOOD, DOWN, 2000.0, 0.0)}, marks)
    assert kept.what == "no newer keys can be fetched: those of 1970-01-01 00:16:40 UTC stay"
