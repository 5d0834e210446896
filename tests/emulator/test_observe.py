"""Tasks of ECS as instances, on the emulator: it runs no containers and registers nothing with a balancer, so targets
are registered here as ECS would."""

import json
import time
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.emulator import REGION, Emulator
from tests.emulator.test_execute import POLL_S, applying, run

from anden import manifest
from anden.assess.alarms import assess
from anden.control.sight import Sight
from anden.engines.aws import levels
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.session import Session
from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Facts
from anden.model.finding import Severity
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.observation import Health, InstanceState
from anden.model.plan import Action, SetLevel, Step
from anden.model.ports import Target
from anden.model.stack import StackWanted
from anden.model.topology import Link, Topology
from anden.planning import blueprint
from anden.store import open_store

SIMPLE = """
anden: 1
client: banco
region: REGION
environments: { dev: {} }
services: { web: { image: web:1, port: 8080 } }
"""
KEY = EnvironmentKey("banco", "dev", EngineName.AWS)
IMAGE = "sha256:" + "1" * 64
SPACE = "/anden/banco/dev"


def made(type_: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type_, "Properties": properties}


RESOURCES: dict[str, dict[str, Any]] = {
    "Vpc": made("AWS::EC2::VPC", CidrBlock="10.0.0.0/16"),
    "A": made("AWS::EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a"),
    "Cluster": made("AWS::ECS::Cluster", ClusterName="banco-dev"),
    "Published": made("AWS::SSM::Parameter", Name=f"{SPACE}/edge/cluster", Type="String", Value={"Ref": "Cluster"}),
    "Egress": made("AWS::SSM::Parameter", Name=f"{SPACE}/address-a/ip", Type="String", Value="203.0.113.7"),
    "Task": made(
        "AWS::ECS::TaskDefinition", Family="banco-dev-web", Cpu="256", Memory="512", NetworkMode="awsvpc",
        RequiresCompatibilities=["FARGATE"],
        ContainerDefinitions=[{"Name": "web", "Image": f"r.example/banco/dev/web@{IMAGE}", "Essential": True}],
    ),
    "Service": made(
        "AWS::ECS::Service", ServiceName="web", Cluster={"Ref": "Cluster"}, TaskDefinition={"Ref": "Task"},
        LaunchType="FARGATE", DesiredCount=2,
        NetworkConfiguration={"AwsvpcConfiguration": {"Subnets": [{"Ref": "A"}]}},
    ),
}  # fmt: skip
TEMPLATE = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": RESOURCES})
EMULATED_SECOND_S = 1.1
"""The emulator knows when a task was made to the second."""
WANTED = StackWanted("anden-banco-dev-edge", "edge", REGION, TEMPLATE)


def test_tasks_are_instances_with_numbers_that_stay(aws: Emulator) -> None:
    engine = AwsEngine(VirtualClock(7.0), POLL_S)
    assert engine.observe(KEY).absent_reason == "there are no stacks of it in us-east-1"
    assert run(applying(WANTED))[0] == [None]
    seen = engine.observe(KEY)
    assert [each.id for each in seen.instances] == ["web-1", "web-2"]
    first, second = seen.instances
    assert (first.revision, first.image_name) == (Digest(IMAGE), f"web@{IMAGE}")
    assert (first.state, first.health) == (InstanceState.RUNNING, Health.HEALTHY)
    assert {first.zone, second.zone} <= set("abcdef")
    assert str(seen.facts.egress["a"]) == "203.0.113.7"
    assert seen.facts.zones["a"] == "us-east-1a"
    assert engine.observe(KEY).version == seen.version  # nothing happened
    time.sleep(EMULATED_SECOND_S)  # or the new one is as old as the others: ECS itself keeps milliseconds
    assert run(Step(Action.UPDATE, "web", "asked", SetLevel(first.service, 3)))[0] == [None]
    more = engine.observe(KEY)
    assert more.levels == {"web": 3}
    assert [each.address for each in more.of("web")][:2] == [first.address, second.address]
    assert len(more.of("web")) == 3
    assert more.version > seen.version


def test_alarms_that_are_on_and_what_was_changed_by_hand_are_seen(aws: Emulator) -> None:
    engine = AwsEngine(VirtualClock(time.time() + 5), POLL_S)
    assert run(applying(WANTED))[0] == [None]
    alarms = aws.client("cloudwatch")
    for name in ("banco-dev-web-few-alarm", "banco-dev-2-web-few-alarm", "banco-dev-api-few-alarm"):
        alarms.put_metric_alarm(
            AlarmName=name, AlarmDescription="web: fewer tasks than the base of 2", MetricName="RunningTaskCount",
            Namespace="ECS/ContainerInsights", Statistic="Average", Period=60, EvaluationPeriods=3, Threshold=2,
            ComparisonOperator="LessThanThreshold",
        )  # fmt: skip
        alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="3 of 3 were below 2")
    aws.client("ssm").put_parameter(Name=f"{SPACE}/address-a/ip", Value="203.0.113.8", Overwrite=True)
    before = engine.observe(KEY)
    (alarm,) = before.alarms  # of a service that runs here, and of this environment only
    assert not alarm.tells
    assert (alarm.service, alarm.text, alarm.why) == ("web", "fewer tasks than the base of 2", "3 of 3 were below 2")
    (stack,) = before.stacks
    assert (stack.drifted, stack.looked_at) == ((), None)  # nobody has looked
    text = "link core: no tunnel is up: nothing behind it can be reached"
    alarms.put_metric_alarm(
        AlarmName="banco-dev-link-core-down", AlarmDescription=text, MetricName="TunnelState", Namespace="AWS/VPN",
        Statistic="Maximum", Period=300, EvaluationPeriods=1, Threshold=0,
        ComparisonOperator="LessThanOrEqualToThreshold",
    )  # fmt: skip
    alarms.set_alarm_state(AlarmName="banco-dev-link-core-down", StateValue="ALARM", StateReason="1 of 1 was 0")
    assert len(engine.observe(KEY).alarms) == 1, "nobody has said that there is such a link"
    core = Link("core", IPv4Address("203.0.113.20"), (IPv4Network("10.21.0.0/16"),), ("vpn-1", "vpn-2"))
    engine.know(Topology("banco", "dev", (), links=(core,), region=REGION))
    told, _ = engine.observe(KEY).alarms
    assert (told.service, told.tells, told.why) == ("link core", True, "1 of 1 was 0")
    assert f"{told.service}: {told.text}" == text
    (finding,) = assess([told])
    assert (finding.severity, finding.subject) == (Severity.TROUBLE, "alarm link core")
    engine.compare(KEY, time.time() + 60)
    (stack,) = engine.observe(KEY).stacks
    assert stack.drifted == ("Egress",)
    assert stack.looked_at is not None
    asked = stack.looked_at
    engine.compare(KEY, asked - 600)  # young enough: not looked at again
    assert engine.observe(KEY).stacks[0].looked_at == asked
    aws.client("ssm").delete_parameter(Name=f"{SPACE}/address-a/ip")
    engine.compare(KEY, time.time() + 60)
    assert engine.observe(KEY).stacks[0].drifted == ("Egress (deleted)",)


def test_an_engine_that_has_just_begun_is_told_where_to_look(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(applying(WANTED))[0] == [None]
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")  # of who looks, and not of the environment
    drafted = SIMPLE.replace("REGION", REGION)
    topology = manifest.read(drafted, "anden.yaml", client="banco").topologies["dev"]
    store, engine = open_store(":memory:"), AwsEngine(VirtualClock(7.0), POLL_S)
    images = SimulatedImages().presume(Path(), {each.name: each.source for each in topology.services})
    made = blueprint.draft(topology, images, Facts(), None, {})
    store.put_blueprint(made)
    assert not engine.observe(KEY).present
    store.put_target(Target(KEY, made.digest, "", "", {}, {}, {}))
    seen = Sight(engine, store).observe(KEY)
    assert [each.region for each in seen.stacks] == [REGION]


def test_a_level_needs_a_cluster(aws: Emulator) -> None:
    assert levels.cluster(Session(), KEY, REGION) is None
    (problem,), _ = run(Step(Action.UPDATE, "web", "asked", SetLevel("web", 3)))  # type: ignore[arg-type]
    assert problem is not None
    assert problem.what == "has no level yet"


def test_lines_of_a_service_come_from_its_log_group(aws: Emulator) -> None:
    client = aws.client("logs")
    for service in ("web", "api"):
        group, stream = f"{SPACE}/{service}", f"{service}/{service}/0123456789abcdef"
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now + number, "message": f"{service} {number}"} for number in range(3)]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    engine = AwsEngine(VirtualClock(7.0))
    said = [(each.instance, each.text) for each in engine.logs(KEY, "web", 2, False) if each is not None]
    assert said == [("web-012345", "web 1"), ("web-012345", "web 2")]
    both = [each for each in engine.logs(KEY, None, 10, False) if each is not None]
    assert {each.instance for each in both} == {"web-012345", "api-012345"}
    assert list(engine.logs(KEY, "nobody", 10, False)) == []
    following = engine.logs(KEY, "web-1", 1, True)
    assert (next(following) or both[0]).text == "web 2"
    assert next(following) is None
    assert next(following) is None  # what is older than the last line is not new
    more = [{"timestamp": int(time.time() * 1000), "message": "web, later"}]
    client.put_log_events(logGroupName=f"{SPACE}/web", logStreamName="web/web/0123456789abcdef", logEvents=more)
    assert (next(following) or both[0]).text == "web, later"


def written(aws: Emulator, service: str, *lines: tuple[float, str]) -> None:
    """lines: how many seconds ago, and the text; the oldest first."""
    client, now = aws.client("logs"), time.time()
    group, stream = f"{SPACE}/{service}", f"{service}/{service}/0123456789abcdef"
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": int((now - ago) * 1000), "message": text} for ago, text in lines]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def said(service: str | None, lines: int, ago: float | None = None) -> list[str]:
    """ago: how many seconds back at most."""
    since = None if ago is None else time.time() - ago
    found = AwsEngine(VirtualClock(7.0)).logs(KEY, service, lines, False, since)
    return [each.text for each in found if each is not None]


def test_the_last_lines_are_found_however_old_they_are(aws: Emulator) -> None:
    written(aws, "web", (5 * 86400, "days ago"), (7200, "hours ago"), (1800, "half an hour ago"), (1, "now"))
    written(aws, "api", (7000, "the other's"))
    assert said("web", 1) == ["now"]
    assert said("web", 9, ago=3600) == ["half an hour ago", "now"]
    assert said("web", 1, ago=3600) == ["now"]
    assert said("web", 9, ago=30 * 86400) == ["days ago", "hours ago", "half an hour ago", "now"]
    assert said(None, 9, ago=7100) == ["the other's", "half an hour ago", "now"]
    assert said("web", 9, ago=-60) == []
    following = AwsEngine(VirtualClock(7.0)).logs(KEY, "web", 9, True, time.time() - 0.5)
    assert [next(following), next(following)] == [None, None]  # what is young and older than that is not said later
    assert said("web", 2) == ["half an hour ago", "now"]
    assert said("web", 10) == ["days ago", "hours ago", "half an hour ago", "now"]
    assert said(None, 3) == ["the other's", "half an hour ago", "now"]
    assert said("web", 0) == []


def test_the_last_lines_of_many_are_the_newest(aws: Emulator) -> None:
    written(aws, "web", *((50 - number / 100, f"line {number}") for number in range(3000)))
    assert said("web", 2) == ["line 2998", "line 2999"]
    assert len(said("web", 2500)) == 2500


def test_a_service_with_the_name_of_anothers_instance_is_meant_itself(aws: Emulator) -> None:
    written(aws, "core", (1, "core"))
    written(aws, "core-2", (1, "core-2"))
    assert said("core-2", 10) == ["core-2"]
    assert said("core-1", 10) == ["core"]
