"""Refused attempts by the names that people know."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning.topologies import destination, drafted, service, topology

from anden.model.mark import Mark
from anden.model.refused import Attempt
from anden.model.topology import Egress
from anden.planning.refused import MOST_ROWS, named

BANK = drafted(
    topology(
        service("accounts", reaches=("ledger", "exchange")),
        service("ledger", 9000),
        destinations=(destination("exchange", "api.exchange.example"), destination("mail", "198.51.100.0/28", 25)),
        egress=Egress.ONE,
    )
)
MARKS = {"services/ledger/reaches": Mark("anden.yaml", 24), "services/accounts/reaches/ledger": Mark("anden.yaml", 9)}
LEDGER = BANK.placement("ledger")
ACCOUNTS = BANK.placement("accounts")


def attempt(service: str, to: str, port: int | None, count: int = 1, at: float = 100.0, why: str = "") -> Attempt:
    return Attempt(service, to, port, "dns" if port is None else "tcp", count, at - 5, at, why)


def test_addresses_become_names_and_what_is_the_same_is_one_row() -> None:
    slots = [str(slot.address) for slot in ACCOUNTS.slots]
    rows = named(
        BANK, MARKS,
        [
            attempt("ledger", slots[0], 8080, 2, 100.0),
            attempt("ledger", str(ACCOUNTS.address), 8080, 3, 200.0),
            attempt("ledger", "198.51.100.7", 25),
            attempt("ledger", "203.0.113.9", 443),
        ],
    )  # fmt: skip
    assert [(row.service, row.to, row.port, row.count) for row in rows] == [
        ("ledger", "accounts", 8080, 5), ("ledger", "203.0.113.9", 443, 1), ("ledger", "mail", 25, 1),
    ]  # fmt: skip
    assert (rows[0].first, rows[0].last) == (95.0, 200.0)
    assert rows[0].fix == "add accounts to services.ledger.reaches (anden.yaml:24), or find out why ledger tries"
    assert rows[1].fix.startswith("declare a destination 203.0.113.9:443 and add it to services.ledger.reaches")


def test_another_port_of_what_is_declared() -> None:
    (row,) = named(BANK, MARKS, [attempt("accounts", str(LEDGER.address), 22)])
    assert (row.to, row.declared, row.why) == ("ledger", True, "only port 9000 is declared")
    assert row.fix == "use the declared port (anden.yaml:9)"


def test_questions() -> None:
    rows = named(
        BANK, MARKS,
        [
            attempt("ledger", "api.exchange.example", None, why="not declared"),
            attempt("accounts", "api.exchange.example", None, why="leads to 10.0.0.1"),
            attempt("accounts", "evil.example", None, why="not declared"),
        ],
    )  # fmt: skip
    found = {(row.service, row.to): row for row in rows}
    assert found["ledger", "exchange"].fix.startswith("add exchange to services.ledger.reaches")
    assert found["accounts", "exchange"].why == "leads to 10.0.0.1"
    assert "ask whoever looks after it" in found["accounts", "exchange"].fix
    assert found["accounts", "evil.example"].fix.startswith("declare a destination evil.example")


def test_only_since() -> None:
    attempts = [attempt("ledger", "203.0.113.9", 443, at=100.0), attempt("ledger", "203.0.113.8", 443, at=200.0)]
    assert [row.to for row in named(BANK, {}, attempts, since=150.0)] == ["203.0.113.8"]


@given(
    st.lists(
        st.builds(
            attempt,
            st.sampled_from(["accounts", "ledger", "gone"]),
            st.sampled_from(["203.0.113.9", "198.51.100.7", str(LEDGER.address), "x.example", "?", "999.1.1.1"]),
            st.sampled_from([None, 25, 443, 9000]),
            st.integers(1, 9),
            st.floats(10, 1000),
        ),
        max_size=40,
    )
)
def test_nothing_is_lost_and_nothing_counted_twice(attempts: list[Attempt]) -> None:
    rows = named(BANK, MARKS, attempts)
    assert sum(row.count for row in rows) == sum(one.count for one in attempts)
    assert len({(row.service, row.to, row.port, row.why) for row in rows}) == len(rows) <= MOST_ROWS
    assert [row.last for row in rows] == sorted((row.last for row in rows), reverse=True)
