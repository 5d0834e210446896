"""What control counts on from whoever keeps secrets: the records of the twin and of simulations, and Secrets Manager of
an account as it is emulated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from tests import leaks
from tests.emulator import emulator
from tests.emulator.emulator import Emulator, reached

from anden.engines.aws.engine import AwsEngine
from anden.engines.simulated.clock import VirtualClock
from anden.model.ids import EngineName, EnvironmentKey, ServiceName
from anden.model.ports import Secrets
from anden.model.problem import Problems
from anden.model.secret import KEPT_VERSIONS, SecretValue, number
from anden.model.topology import ImageSource, Service, Topology
from anden.store import open_store

_numbers = count(1)
PLANTED = "Pl4nted.0f1e2d3c4b5a.contract"


@dataclass
class Kept:
    """secrets: of an environment that nobody else has. look: a version's value, by name and id, wherever it is.
    returns_after_removal: what is removed can be had back for a while."""

    secrets: Secrets
    key: EnvironmentKey
    look: Callable[[str, str], str]
    returns_after_removal: bool

    def put(self, name: str, value: str, at: float = 7.0) -> str:
        list(self.secrets.ready(self.key))
        return self.secrets.put(self.key, name, SecretValue(value), "ana", at).id


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulator | None]:
    if emulator.python() is None:
        yield None
        return
    with emulator.running() as it:
        yield it


@pytest.fixture(params=["sealed", "aws"])
def kept(
    request: pytest.FixtureRequest, emulated: Emulator | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kept]:
    environment = f"s{next(_numbers)}"
    if request.param == "sealed":
        store = open_store(tmp_path / "anden.db")
        key = EnvironmentKey("contract", environment, EngineName.LOCAL)
        yield Kept(store.secrets, key, lambda name, its: store.secrets.value(key, name, its).reveal(), False)
        store.close()
        return
    if emulated is None:
        pytest.skip("secrets on AWS were NOT tested: the emulator is not installed (./test does that)")
    for variable, value in reached(emulated).items():
        monkeypatch.setenv(variable, value) if value is not None else monkeypatch.delenv(variable, raising=False)
    engine = AwsEngine(VirtualClock(1_700_000_000.0), 0.02)
    service = Service(ServiceName("web"), ImageSource("web:1"))
    engine.know(Topology("contract", environment, (service,), region=emulator.REGION))
    client = emulated.client("secretsmanager")

    def look(name: str, its: str) -> str:
        return str(client.get_secret_value(SecretId=f"contract/{environment}/{name}", VersionId=its)["SecretString"])

    yield Kept(engine.secrets(), EnvironmentKey("contract", environment, EngineName.AWS), look, True)


def test_nothing_is_there_before_the_first(kept: Kept) -> None:
    assert kept.secrets.held(kept.key) == {}
    assert kept.secrets.held(kept.key, ["a"]) == {}


def test_what_is_put_is_there_whatever_it_holds(kept: Kept) -> None:
    odd = '-----BEGIN KEY-----\n"quoted" \\ \u00e9\u20ac\n\n'
    its = kept.put("core/token_1.x", odd)
    assert kept.look("core/token_1.x", its) == odd
    (secret,) = kept.secrets.held(kept.key).values()
    assert (secret.name, secret.newest.id, secret.newest.at, secret.newest.who) == ("core/token_1.x", its, 7.0, "ana")
    other = EnvironmentKey(kept.key.client, f"{kept.key.environment}-other", kept.key.engine)
    assert kept.secrets.held(other, ["core/token_1.x"]) == {}


def test_versions_count_up_and_old_ones_go_but_for_those_in_use(kept: Kept) -> None:
    made = [kept.put("a", f"value {n}", float(n)) for n in range(KEPT_VERSIONS + 3)]
    kept.secrets.prune(kept.key, "a", [made[0]])
    left = kept.secrets.held(kept.key, ["a"])["a"].versions
    assert [number(one.id) for one in left] == [*range(KEPT_VERSIONS + 3, 3, -1), 1]
    assert [one.at for one in left][:2] == [KEPT_VERSIONS + 2.0, KEPT_VERSIONS + 1.0]
    assert kept.look("a", made[0]) == "value 0"


def test_one_that_was_removed_is_not_there_and_its_ids_are_not_given_again(kept: Kept) -> None:
    first = kept.put("a", "x")
    said = kept.secrets.remove(kept.key, "a")
    assert kept.secrets.held(kept.key) == {}
    assert kept.secrets.held(kept.key, ["a"]) == {}
    assert bool(said) is kept.returns_after_removal
    second = kept.put("a", "y")
    assert second != first
    assert kept.secrets.held(kept.key)["a"].newest.id == second


def test_no_problem_and_no_name_repeats_a_value(kept: Kept) -> None:
    its = kept.put("a", PLANTED)
    with pytest.raises(Problems) as gone:
        kept.secrets.remove(kept.key, "b")
    with pytest.raises(Problems) as other:
        kept.secrets.value(kept.key, "a", f"{its}0")
    texts = [str(gone.value), str(other.value), str(kept.secrets.held(kept.key))]
    assert leaks.in_texts(PLANTED, texts) == []
