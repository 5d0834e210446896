"""`reach --live` and `prove egress` on the emulator, by the command line; tests.emulator.tasks plays what tasks do."""

import json
import re
from pathlib import Path

import pytest
from tests.emulator.emulator import REGION, Emulator
from tests.emulator.refusing import LOST, refusing
from tests.emulator.tasks import ending
from tests.emulator.test_cli import Run, run

from anden.engines.aws.engine import AwsEngine
from anden.engines.simulated.clock import VirtualClock
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problems
from anden.model.reach import Probe, ProbeKind

__all__ = ["run"]  # a fixture
TEXT = f"""anden: 1
client: shop
region: {REGION}
destinations: {{ bank: 198.51.100.7:443, exchange: api.exchange.example:443 }}
environments: {{ dev: {{ egress: one, zones: 1 }} }}
services:
  web:    {{ image: web:1.0, port: 8080, route: /, reaches: [api] }}
  api:    {{ image: api:1.0, port: 8080, reaches: [ledger, bank, exchange] }}
  ledger: {{ image: ledger:1.0, port: 8080 }}
"""
TOTAL = "0 of 2 ways out proved, 2 open from the declared address as AWS gives it: only the other side can see it"
KEY = EnvironmentKey("shop", "dev", EngineName.AWS)
POLL_S = 0.02


def test_what_stands_is_tried(aws: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One environment for all of it: to make one takes long."""
    Path("anden.yaml").write_text(TEXT)
    code, out, err = run("reach", "api", "bank")
    assert (code, out.splitlines()[0]) == (0, "OPEN api → bank:443 (anden.yaml:8)"), (
        err
    )  # computed, before there is any
    assert run("up")[0] == 0
    paths_are_tried_from_each_service_against_an_instance_of_the_other(aws, run)
    a_lost_answer_starts_no_second_task(aws, run, monkeypatch)
    what_differs_from_what_was_computed_says_so(aws, run)
    tasks_end_when_whoever_asked_leaves(aws)
    what_cannot_be_tried_says_why()
    ways_out_are_tried_from_the_service_and_what_nobody_saw_is_not_claimed(aws, run)
    a_way_that_is_shut_and_one_that_leaves_elsewhere_are_no_proof(aws, run)


def sees(service: str, host: str, port: int) -> str:
    """As the manifest has it: api alone reaches others here."""
    return "open" if service == "api" and host[:3] in ("10.", "198", "api") else "silent"


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def fixed(aws: Emulator) -> str:
    (address,) = aws.client("ec2").describe_addresses()["Addresses"]
    return str(address["PublicIp"])


def ways_out_are_tried_from_the_service_and_what_nobody_saw_is_not_claimed(aws: Emulator, up: Run) -> None:
    with ending(aws, "shop", "dev", sees) as probing:
        code, out, err = up("prove", "egress")
    assert code == 0, out + err
    address = fixed(aws)
    (nat,) = aws.client("ec2").describe_nat_gateways()["NatGateways"]
    why = (
        f"opens: it leaves by {nat['NatGatewayId']}, whose address AWS gives as {address}; the other side was not asked"
    )
    *ways, total = lines(out)[1:]
    assert ways == [
        ["~", "api", "a", "bank", address, "-", *why.split()],
        ["~", "api", "a", "exchange", address, "-", *why.split()],
    ]  # fmt: skip
    assert re.fullmatch(rf"{re.escape(TOTAL)}; declared so since \d+(s|min) ago", " ".join(total))
    (task,) = probing.tasks  # one for the service and its zone
    assert task["containers"][0]["name"] == "api"
    assert {each["key"] for each in task["tags"]} == {"anden:client", "anden:environment", "anden:operator"}
    assert not aws.client("ecs").list_tasks(cluster="shop-dev", family="shop-dev-api-debug")["taskArns"]
    code, out, _ = up("history", "--json")
    newest = json.loads(out)[0]
    assert (newest["what"], newest["outcome"], newest["detail"]) == ("prove egress", "done", "2 tried")


def a_way_that_is_shut_and_one_that_leaves_elsewhere_are_no_proof(aws: Emulator, up: Run) -> None:
    with ending(aws, "shop", "dev", lambda service, host, port: "silent" if host[0] == "1" else "unresolved"):
        code, out, _ = up("prove", "egress")
    assert code == 1
    assert [line[-2:] for line in lines(out)[1:3]] == [["silent:", "silent"], ["silent:", "unresolved"]]
    ec2 = aws.client("ec2")
    other = ec2.allocate_address(Domain="vpc")
    (nat,) = ec2.describe_nat_gateways()["NatGateways"]
    second = ec2.create_nat_gateway(SubnetId=nat["SubnetId"], AllocationId=other["AllocationId"])["NatGateway"]
    for table in ec2.describe_route_tables()["RouteTables"]:
        for route in table["Routes"]:
            if route.get("NatGatewayId") == nat["NatGatewayId"]:  # as somebody would by hand
                ec2.replace_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0",
                                  NatGatewayId=second["NatGatewayId"])  # fmt: skip
    with ending(aws, "shop", "dev", sees):
        code, out, _ = up("prove", "egress")
    assert code == 1
    assert f"differs: it leaves by {second['NatGatewayId']}, whose address AWS gives as {other['PublicIp']}" in out


def paths_are_tried_from_each_service_against_an_instance_of_the_other(aws: Emulator, up: Run) -> None:
    with ending(aws, "shop", "dev", sees) as probing:
        code, out, _ = up("reach", "--live", "api", "ledger")
    assert code == 0, out
    live = next(line for line in lines(out) if line[1] == "live")
    assert live[2:6] == ["api-1", "→", "ledger:8080", "connected"]
    assert live[8:11] == ["dialled", "ledger-1", "at"]
    assert len(probing.tasks) == 1, [each["taskArn"] for each in probing.tasks]
    with ending(aws, "shop", "dev", sees) as probing:
        code, out, _ = up("reach", "--live", "ledger", "api")
    assert code == 0
    assert "BLOCKED at security group: not declared" in out
    assert "1 probe: each saw what was computed" in out
    with ending(aws, "shop", "dev", sees) as probing:  # web is behind a balancer that the emulator never makes healthy
        code, out, _ = up("reach", "--live")
    assert code == 1
    assert "no instance of web serves" in out
    assert "2 of 10 probes could not be tried" in out
    assert sorted(each["containers"][0]["name"] for each in probing.tasks) == ["api", "ledger"]


def a_lost_answer_starts_no_second_task(aws: Emulator, up: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing(aws.url) as door, ending(aws, "shop", "dev", sees) as probing, monkeypatch.context() as words:
        words.setenv("AWS_ENDPOINT_URL_ECS", door.url)
        door.refuse("RunTask", [LOST])
        code, out, err = up("reach", "--live", "api", "ledger")
    assert code == 0, out + err
    assert door.asked.count("RunTask") == 2
    assert len(probing.tasks) == 1, [each["taskArn"] for each in probing.tasks]


def what_differs_from_what_was_computed_says_so(aws: Emulator, up: Run) -> None:
    with ending(aws, "shop", "dev", lambda service, host, port: "open"):
        code, out, _ = up("reach", "--live", "ledger", "api")
    assert code == 1
    assert "1 of 1 probes saw something else than was computed" in out
    with ending(aws, "shop", "dev", lambda service, host, port: ""):
        code, out, _ = up("reach", "--live", "ledger", "api")
    assert code == 1
    assert "1 of 1 probes could not be tried" in out
    assert "said nothing of it" in out


def tasks_end_when_whoever_asked_leaves(aws: Emulator) -> None:
    class Leaving(VirtualClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    engine = AwsEngine(Leaving(7.0), POLL_S)
    with pytest.raises(KeyboardInterrupt):
        engine.probe(KEY, [Probe("api-1", "198.51.100.7", 443), Probe("ledger-1", "198.51.100.7", 443)], "ana")
    ecs = aws.client("ecs")
    for service in ("api", "ledger"):
        family = f"shop-dev-{service}-debug"
        assert not ecs.list_tasks(cluster="shop-dev", family=family)["taskArns"]
        ended = ecs.list_tasks(cluster="shop-dev", family=family, desiredStatus="STOPPED")["taskArns"]
        reasons = [
            each["stoppedReason"]
            for each in ecs.describe_tasks(cluster="shop-dev", tasks=ended)["tasks"]
            if "caller left" in each["stoppedReason"]
        ]
        assert len(reasons) == 1


def what_cannot_be_tried_says_why() -> None:
    engine, said = AwsEngine(VirtualClock(7.0), POLL_S), []
    for probes in (
        [Probe("nobody-1", "198.51.100.7", 443)], [Probe("api-1", "198.51.100.7", 443, kind=ProbeKind.PING)],
        [Probe("api-1", f"h{number}.example", 443) for number in range(2001)],
    ):  # fmt: skip
        with pytest.raises(Problems) as found:
            engine.probe(KEY, probes)
        said.append(str(found.value))
    assert said == [
        "nobody-1: there is no such instance. `anden status` lists them.",
        "ping: cannot be tried on AWS; a Fargate task has no right to raw sockets. Try a TCP port.",
        "shop/dev, aws: 101 tasks are too many to start for it; at most 100. Name the caller or the callee.",
    ]
