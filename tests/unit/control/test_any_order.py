"""Commands in any order, cut short at any line, with the control plane and the environment dying in between: the
engine is never asked for the impossible, what served goes on serving, and the last `up` gets what it asks for."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.unit.control.bench import KEY, TWO, Bench, manifest

from anden.model.command import Outcome
from anden.model.event import Event
from anden.model.problem import Problems

SEEDS = range(12)
COMMANDS = 14
MANIFESTS = (
    TWO,
    manifest(web="web:2.0"),
    manifest(web="web:3.0", api="api:2.0"),
    manifest(web="web:broken"),
    manifest(api="api:crashing"),
    TWO.replace("2..4", "2..6"),
    TWO.replace("  api:", "  other:").replace("[api]", "[other]"),
    TWO.replace("port: 8080, instances: 1..3", "port: 9090, instances: 1..3"),
)


def command(bench: Bench, random: Random) -> Iterator[Event | None]:
    control, at = bench.control, bench.at(None)
    match random.randrange(9):
        case 0:
            return control.deploy(at, "ana", "web", random.choice(["web:1.1", "web:crashing"]))
        case 1:
            return control.scale(at, "ana", "web", random.randint(2, 4))
        case 2:
            return control.restart(at, "ana", random.choice(["web", None]))
        case 3:
            return control.rollback(at, "ana")
        case _:
            deployed = random.choice(["keep", "revert"])
            return control.up(bench.at(random.choice(MANIFESTS)), "ana", deployed=deployed)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order(tmp_path: Path, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - it decides nothing but the order of a test
    bench = Bench(tmp_path)
    bench.up()
    bench.engine.watch({"web": 2})
    for _ in range(COMMANDS):
        told = command(bench, random)
        lines = random.choice([3, 6, 10_000])
        try:
            for _, _ in zip(range(lines), told, strict=False):
                pass
        except Problems:
            continue
        finally:
            told.close()  # type: ignore[attr-defined]
        if random.random() < 0.2:
            bench.crash()
        if random.random() < 0.1:
            bench.engine.watching = False
            bench.engine.vanish(KEY)
            bench.settle()
            if len(bench.images().get("web", ())) >= 2:
                bench.engine.watching = True
    bench.settle()
    assert bench.up(manifest(web="web:9.0"), deployed="revert").outcome == Outcome.DONE
    assert bench.images() == {"api": ["api:1.0"] * len(bench.images()["api"]), "web": bench.images()["web"]}
    assert set(bench.images()["web"]) == {"web:9.0"}
    assert len(bench.images()["web"]) == max(2, bench.target.levels.get("web", 2))
    assert not any(command.outcome is Outcome.RUNNING for command in bench.store.commands(KEY, 1000))
    assert bench.store.verify().fault == ""
    bench.engine.watching = False
    assert bench.run(bench.control.down(bench.at(None), "ana")).outcome == Outcome.DONE
    assert not bench.engine.observe(KEY).present
