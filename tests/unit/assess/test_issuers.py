"""What is said of issuers: nothing while they answer, a warning while the last good keys stay, then trouble."""

import pytest
from tests.unit.planning.topologies import service, topology

from anden.assess.issuers import OLD_S, assess
from anden.model.finding import Severity
from anden.model.issuer import Fetched, Known
from anden.model.problem import Problem
from anden.model.topology import Issuer, Route, VerifyingKey

ID = "https://id.example"
DOWN = Problem(ID, "it does not answer", "Connection refused", "Look.")
KEYS = (VerifyingKey("a", "ES256", "pem"),)
GIVEN = topology(
    service("web", route=Route("/", auth="customers")),
    auth=(Issuer("customers", ID, "bank"), Issuer("partners", ID, "partners")),
)


def found(known: Known, now: float = 200.0) -> list[tuple[Severity, str]]:
    said = assess(GIVEN, known, now)
    assert all(each.subject == "auth customers, partners" for each in said)
    return [(each.severity, each.text) for each in said]


def test_nothing_is_said_of_one_that_answers() -> None:
    assert found({ID: Fetched(KEYS, 100.0, 100.0, 700.0)}) == []
    assert assess(topology(service("web", route=Route("/")), auth=GIVEN.auth), {}, 0.0) == ()


@pytest.mark.parametrize(("age", "severity"), [(OLD_S, Severity.WARNING), (OLD_S + 1, Severity.TROUBLE)])
def test_one_that_is_down_while_its_keys_stay(age: float, severity: Severity) -> None:
    known = {ID: Fetched(KEYS, 100.0, 150.0, 750.0, 150.0, DOWN)}
    said = "no good answer since 1970-01-01 00:02:30 UTC: it does not answer; the keys of 1970-01-01 00:01:40 UTC stay"
    assert found(known, 100.0 + age) == [(severity, said)]
    (finding,) = assess(GIVEN, known, 0.0)
    assert (finding.fix, finding.evidence) == ("Look.", (str(DOWN),))


def test_one_that_never_answered_closes_its_routes() -> None:
    known = {ID: Fetched((), None, 150.0, 750.0, 150.0, DOWN)}
    text = "it has given no keys since 1970-01-01 00:02:30 UTC: its routes answer 503"
    assert found(known) == [(Severity.TROUBLE, text)]
    assert found({}) == [(Severity.WARNING, "its keys were not fetched yet: its routes answer 503")]
