"""What is computed is what is: every pair of services on several ports, and the internet, tried for real, in two
environments at once that use the same addresses and cannot see each other."""

import itertools
import os
from collections.abc import Iterator

import pytest
from tests.live.conftest import Anden

from anden import app
from anden.engines.local.engine import LocalEngine
from anden.model import codec
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.reach import Probe, Probed, Seen
from anden.model.report import EgressReport, ReachReport

CLIENT = "twins"
MANIFEST = """\
anden: 1
client: twins
destinations:
  bourse: 192.0.2.10:443
  rates: 192.0.2.128/28:8443
services:
  web: { build: app, port: 8080, route: /, instances: 2, reaches: [api, bourse] }
  api: { build: app, port: 9000, instances: 2, health: /, reaches: [base] }
  base: { build: app, port: 9000, health: /, instances: 2..3, reaches: [] }
environments:
  left: { network: 10.77.0.0/16, zones: 2, egress: per-zone }
  right:
    network: 10.77.0.0/16
    zones: 2
    egress: one
    services:
      web: { reaches: [base, rates] }
      api: { reaches: [web, api] }
      base: { reaches: [bourse], instances: 3 }
"""
APP = """\
import http.server, os, signal
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process hears only what it asks for
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
"""
SERVICES = ("web", "api", "base")
PORTS = (8080, 9000, 22, 53, 443)
OUTSIDE = {
    "bourse": ("192.0.2.10", 443),
    "rates": ("192.0.2.130", 8443),
    "bourse on another port": ("192.0.2.10", 80),
    "nobody's": ("198.18.0.1", 443),
}
PROBE_LIMIT_S = 1.0
INTERNAL_AND_DIRECT = 2


@pytest.fixture(scope="module")
def twins(anden: Anden) -> Iterator[Anden]:
    folder = anden.state / "manifest"
    (folder / "app").mkdir(parents=True)
    (folder / "anden.yaml").write_text(MANIFEST)
    (folder / "app" / "app.py").write_text(APP)
    (folder / "app" / "Containerfile").write_text(
        'ARG BASE\nFROM ${BASE}\nCOPY app.py /app.py\nUSER 10001\nCMD ["python3", "/app.py"]\n'
    )
    before = os.environ.get("ANDEN_STATE")
    os.environ["ANDEN_STATE"] = str(anden.state)
    try:
        for environment in ("left", "right"):
            anden("up", str(folder), "-e", environment, "--no-input")
        yield anden
        for environment in ("left", "right"):
            anden("down", str(folder), "-e", environment, "--yes")
    finally:
        if before is None:
            del os.environ["ANDEN_STATE"]
        else:
            os.environ["ANDEN_STATE"] = before


def engine(anden: Anden) -> LocalEngine:
    return LocalEngine(anden.state, anden.state / "images", app.SystemClock())


def seen(anden: Anden, environment: str) -> Observation:
    return engine(anden).observe(EnvironmentKey(CLIENT, environment, EngineName.LOCAL))


def asked(anden: Anden, environment: str) -> dict[str, object]:
    folder = anden.state / "manifest"
    return {
        "client": CLIENT, "environment": environment, "engine": "local", "folder": str(folder),
        "manifest": (folder / "anden.yaml").read_text(), "file": "anden.yaml",
    }  # fmt: skip


def computed(anden: Anden, environment: str) -> dict[tuple[str, str, int], bool]:
    """Caller, callee and port to whether the matrix says that it is open."""
    with app.connect(CLIENT, EngineName.LOCAL, start=False) as api:
        answers = {}
        for caller, callee, port in itertools.product(SERVICES, SERVICES, PORTS):
            body = {"at": asked(anden, environment), "caller": caller, "callee": callee, "port": port, "live": False}
            report = codec.from_data(ReachReport, api.request("POST", "/v1/reach", body))
            answers[caller, callee, port] = report.paths[0].open
        for caller, name in itertools.product(SERVICES, ("bourse", "rates")):
            body = {"at": asked(anden, environment), "caller": caller, "callee": name, "port": None, "live": False}
            report = codec.from_data(ReachReport, api.request("POST", "/v1/reach", body))
            answers[caller, name, OUTSIDE[name][1]] = report.paths[0].open
        return answers


@pytest.mark.parametrize("environment", ["left", "right"])
def test_every_pair_is_as_computed(twins: Anden, environment: str) -> None:
    observation = seen(twins, environment)
    matrix = computed(twins, environment)
    wanted: list[tuple[Probe, bool]] = []
    for (caller, callee, port), is_open in matrix.items():
        if callee not in SERVICES:
            continue
        source = observation.of(caller)[0]
        target = next(each for each in observation.of(callee) if each.id != source.id)
        hosts = [f"{callee}.internal", callee, str(target.address)]
        wanted += [(Probe(source.id, host, port, PROBE_LIMIT_S), is_open) for host in hosts]
    for caller, (name, (host, port)) in itertools.product(SERVICES, OUTSIDE.items()):
        for source in observation.of(caller):
            probe = Probe(source.id, host, port, PROBE_LIMIT_S, listen=True)
            wanted.append((probe, matrix.get((caller, name, port), False)))
    key = EnvironmentKey(CLIENT, environment, EngineName.LOCAL)
    found = engine(twins).probe(key, [probe for probe, _ in wanted])
    assert len(found) == len(wanted) > len(SERVICES) ** 2 * len(PORTS) * INTERNAL_AND_DIRECT
    wrong = [
        f"{was.probe.caller} → {was.probe.host}:{was.probe.port}: computed {is_open}, seen {was.seen}"
        for was, (_, is_open) in zip(found, wanted, strict=True)
        if was.seen is not (Seen.OPEN if is_open else Seen.SILENT)
    ]
    assert not wrong, "\n".join(wrong)
    assert any(is_open for _, is_open in wanted)


def test_the_two_use_the_same_addresses_and_cannot_see_each_other(twins: Anden) -> None:
    left, right = seen(twins, "left"), seen(twins, "right")
    shared = {each.address for each in left.instances} & {each.address for each in right.instances}
    assert len(shared) >= len(SERVICES)
    only_right = next(each for each in right.instances if each.address not in {one.address for one in left.instances})
    assert only_right.service == "base"

    def probe(environment: str, caller: str) -> Probed:
        key = EnvironmentKey(CLIENT, environment, EngineName.LOCAL)
        return engine(twins).probe(key, [Probe(caller, str(only_right.address), 9000, PROBE_LIMIT_S)])[0]

    assert probe("right", "web-1").seen is Seen.OPEN
    assert probe("left", "api-1").seen is Seen.SILENT  # api may open base:9000 there: nobody is at this address


@pytest.mark.parametrize("environment", ["left", "right"])
def test_the_internet_sees_the_declared_address_of_the_callers_zone(twins: Anden, environment: str) -> None:
    observation = seen(twins, environment)
    caller, host, port = {"left": ("web", "192.0.2.10", 443), "right": ("base", "192.0.2.10", 443)}[environment]
    key = EnvironmentKey(CLIENT, environment, EngineName.LOCAL)
    sources = observation.of(caller)
    found = engine(twins).probe(key, [Probe(each.id, host, port, PROBE_LIMIT_S, listen=True) for each in sources])
    assert {each.zone for each in sources} == {"a", "b"}
    for instance, was in zip(sources, found, strict=True):
        assert was.seen is Seen.OPEN
        assert was.source == observation.facts.leaves_from(instance.zone)
    assert len({was.source for was in found}) == {"left": 2, "right": 1}[environment]


def test_prove_egress_says_the_same(twins: Anden) -> None:
    folder = str(twins.state / "manifest")
    report = codec.from_data(EgressReport, twins.json("prove", "egress", "-C", folder, "-e", "left"))
    proved = {(each.service, each.destination, each.zone): each.verdict for each in report.proofs}
    assert proved == {("web", "bourse", "a"): "proved", ("web", "bourse", "b"): "proved"}
    for each in report.proofs:
        assert each.declared == each.observed is not None


def test_reach_live_agrees_and_says_so(twins: Anden) -> None:
    folder = str(twins.state / "manifest")
    open_ = twins.try_("reach", "web", "api", "--live", "-C", folder, "-e", "left")
    assert open_.returncode == 0
    blocked = twins.try_("reach", "web", "base", "--live", "-C", folder, "-e", "left")
    assert blocked.returncode == 0
    assert "BLOCKED at firewall" in blocked.stdout
    assert "services.web.reaches (anden.yaml:" in blocked.stdout
