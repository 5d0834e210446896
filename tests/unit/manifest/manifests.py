"""Manifests for properties, as plain data, and short ways to read one."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from anden import manifest
from anden.model.problem import Problems

GOLDEN = Path(__file__).parents[2] / "golden"
VALID = sorted(GOLDEN.glob("*/anden.yaml"))
INVALID = sorted((GOLDEN / "invalid").glob("*.yaml"))

Data = dict[str, Any]


def read(text: str, client: str = "folder") -> manifest.Manifest:
    return manifest.read(text, "anden.yaml", client=client)


def dump(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def said(text: str) -> list[str]:
    """What is wrong, as people see it; nothing when it reads."""
    try:
        read(text)
    except Problems as found:
        for problem in found.problems:
            assert all((problem.where, problem.what, problem.why, problem.fix)), problem
            assert not {"\n", "\r"} & set(str(problem)), problem
        return [str(problem) for problem in found.problems]
    return []


def means(data: Any) -> dict[str, Any]:
    """Environment to topology."""
    return dict(read(dump(data)).topologies)


SERVICES = ("accounts", "ledger", "web", "worker")
_optional: dict[str, st.SearchStrategy[Any]] = {
    "protocol": st.sampled_from(["http", "http2"]),
    "size": st.sampled_from([{"cpu": 1, "memory": "2 GB"}, {"cpu": 0.25, "memory": "512 MB"}]),
    "instances": st.sampled_from([1, 2, "2..8", {"base": 1, "max": 3}, "0..4"]),
    "route": st.sampled_from(SERVICES).map(lambda name: {"path": f"/{name}"}),
    "health": st.sampled_from(["/health", "tcp", {"path": "/ready"}]),
    "reaches": st.lists(st.sampled_from([*SERVICES[:2], "exchange"]), unique=True),
    "env": st.dictionaries(st.sampled_from(["LEVEL", "MODE", "WORKERS"]), st.sampled_from(["info", "1", "yes"])),
    "secrets": st.dictionaries(st.sampled_from(["CORE", "OTHER"]), st.sampled_from(["core-token", "other"])),
    "deploy": st.sampled_from(["rolling", "blue-green", "canary", "linear"]),
    "slo": st.sampled_from([{"availability": "99.9%"}, {"latency": "99% < 300 ms"}]),
    "command": st.sampled_from(["serve --port 8080", ["serve", "--port", "8080"]]),
    "timeout": st.sampled_from([30, "30 s", "2 m", "1500 ms"]),
    "writable": st.sampled_from([["/tmp"], ["/tmp", "/cache"], []]),
}


@st.composite
def services(draw: st.DrawFn, name: str, *, partial: bool = False) -> Data:
    fields: Data = draw(st.fixed_dictionaries({}, optional=_optional))
    if "route" in fields:
        fields["route"] = {"path": f"/{name}"}
    if not partial:
        fields = {"image": f"{name}:1.0.0", "port": 8080, **fields}
    return fields


@st.composite
def bases(draw: st.DrawFn) -> Data:
    """A manifest that reads, without environments."""
    names = ["accounts", "ledger", *draw(st.sets(st.sampled_from(SERVICES[2:])))]
    return {
        "anden": 1,
        "egress": draw(st.sampled_from(["one", "per-zone"])),
        "zones": draw(st.integers(1, 4)),
        "destinations": {"exchange": "192.0.2.10:443"},
        "services": {name: draw(services(name)) for name in names},
    }


@st.composite
def overrides(draw: st.DrawFn, base: Data) -> Data:
    """What an environment may say over `base` and still read: fields, nulls, services of its own."""
    over: Data = draw(st.fixed_dictionaries({}, optional={"zones": st.integers(1, 4), "agreed": st.just("99.9%")}))
    changed: Data = {}
    for name in draw(st.sets(st.sampled_from(sorted(base["services"])))):
        fields = draw(services(name, partial=True))
        present = [key for key in base["services"][name] if key not in ("image", "port")]
        nulls = draw(st.sets(st.sampled_from(present))) if present else set()
        changed[name] = {**fields, **dict.fromkeys(nulls)}
    if draw(st.booleans()):
        changed["batch"] = draw(services("batch"))
    return {**over, "services": changed} if changed else over


def merged(under: Any, over: Any) -> Any:
    """Mappings merge, scalars and lists replace, null removes: said once more, on plain data."""
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    result = dict(under)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(under.get(key), value)
    return result


@st.composite
def shuffled(draw: st.DrawFn, data: Any) -> Any:
    """The same data with its keys in another order."""
    if isinstance(data, dict):
        return {key: draw(shuffled(data[key])) for key in draw(st.permutations(list(data)))}
    return data
