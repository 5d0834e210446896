"""What the data, edge and service stacks mean, by structure. That both validators take them is tests/golden's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from anden import manifest
from anden.engines.aws.caveats import caveats
from anden.engines.aws.render import backup
from anden.engines.aws.render.entrance import LONGEST_PATH, NUMBERS, Door, entrance
from anden.engines.aws.render.mesh import mesh
from anden.engines.aws.render.stacks import environment
from anden.engines.aws.render.template import Stack, text
from anden.engines.simulated.images import SimulatedImages
from anden.model.blueprint import Blueprint, Facts
from anden.model.ids import ServiceName
from anden.model.topology import ImageSource, Protocol, Route, Service, Strategy, Topology
from anden.planning import blueprint

ROOT = Path(__file__).parents[5]


def drafts(path: Path) -> dict[str, Blueprint]:
    read = manifest.read(path.read_text(), "anden.yaml", client=path.parent.name)
    found = {}
    for name in read.environments:
        topology = replace(read.topologies[name], region=read.topologies[name].region or "us-east-1")
        images = SimulatedImages().presume(path.parent, {each.name: each.source for each in topology.services})
        found[name] = blueprint.draft(topology, images, Facts(), None, read.marks[name])
    return found


def stacks(draft: Blueprint, **generations: int) -> dict[str, Stack]:
    return {each.family: each for each in environment(draft, caveats(draft.topology), generations=generations)}


def resources(stack: Stack, kind: str) -> list[Any]:
    return [made["Properties"] for made in stack.template["Resources"].values() if made["Type"] == kind]


CLIENT = drafts(ROOT / "tests/golden/client/anden.yaml")


def test_a_service_is_alone_and_hardened() -> None:
    for draft in CLIENT.values():
        for placement in draft.placements:
            stack = stacks(draft)[f"service-{placement.service}"]
            [service] = resources(stack, "AWS::ECS::Service")
            network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
            assert [each.key for each in network["SecurityGroups"]] == [f"group-of-{placement.service}"]
            assert [each.key for each in network["Subnets"]] == [f"private-{z.name}" for z in draft.layout.zones]
            assert "DesiredCount" not in service
            assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100
            assert service["EnableExecuteCommand"] is not draft.topology.production
            tasks = resources(stack, "AWS::ECS::TaskDefinition")
            assert len(tasks) == 2  # the second is for debugging and for probes
            for task in tasks:
                [container] = task["ContainerDefinitions"]
                assert container["ReadonlyRootFilesystem"] is True
                assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
            assert tasks[1]["Family"] == f"{tasks[0]['Family']}-debug"
            first, second = (each["ContainerDefinitions"][0] for each in tasks)
            assert first["Image"] == second["Image"]
            assert "PortMappings" not in second
            for role in resources(stack, "AWS::IAM::Role"):
                assert "anden-boundary" in text(role["PermissionsBoundary"])
            [bounds] = resources(stack, "AWS::ApplicationAutoScaling::ScalableTarget")
            found = draft.topology.service(placement.service)
            assert found is not None
            assert (bounds["MinCapacity"], bounds["MaxCapacity"]) == (found.instances.base, found.instances.max)


def test_secrets_only_by_reference() -> None:
    stack = stacks(CLIENT["production"])["service-accounts"]
    task, _ = resources(stack, "AWS::ECS::TaskDefinition")
    [secret] = task["ContainerDefinitions"][0]["Secrets"]
    assert secret["ValueFrom"]["Fn::Sub"].endswith(":secret:banco-andino/production/core-token")
    assert resources(stack, "AWS::SecretsManager::Secret") == []
    named = stacks(replace(CLIENT["production"], secrets={"core-token": "v2-5f0c"}))["service-accounts"]
    for task in resources(named, "AWS::ECS::TaskDefinition"):  # a probe has the same one
        [secret] = task["ContainerDefinitions"][0]["Secrets"]
        assert secret["ValueFrom"]["Fn::Sub"].endswith(":secret:banco-andino/production/core-token:::v2-5f0c")


def test_the_door_is_watched_or_shut() -> None:
    [rule] = resources(stacks(CLIENT["production"])["service-accounts"], "AWS::ElasticLoadBalancingV2::ListenerRule")
    assert [each["Type"] for each in rule["Actions"]] == ["jwt-validation", "forward"]
    assert rule["Conditions"][1]["HostHeaderConfig"]["Values"] == ["api.banco.example"]
    assert rule["Conditions"][0]["PathPatternConfig"]["Values"][:2] == ["/accounts", "/accounts/*"]
    shut = stacks(CLIENT["certification"])["service-accounts"]
    [rule] = resources(shut, "AWS::ElasticLoadBalancingV2::ListenerRule")
    assert rule["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "503"
    assert resources(shut, "AWS::ElasticLoadBalancingV2::TargetGroup") == []


PATHS = st.lists(st.text("ab", min_size=1, max_size=9), max_size=12).map(lambda parts: "".join(f"/{p}" for p in parts))


@given(st.lists(st.tuples(PATHS, st.integers(1, NUMBERS)), min_size=2, unique_by=lambda each: each[1]))
def test_priorities_are_unique_and_longer_paths_first(found: list[tuple[str, int]]) -> None:
    one = Service(ServiceName("x"), ImageSource("x:1"), port=80)
    kept = [(path, Door(one, path).priority(number)) for path, number in found if len(path) <= LONGEST_PATH]
    assert len({priority for _, priority in kept}) == len(kept)
    assert all(1 <= priority <= 50_000 for _, priority in kept)
    for path, priority in kept:
        assert all(priority < other for shorter, other in kept if len(shorter) < len(path))


def test_callees_come_first_and_rings_are_known() -> None:
    def service(name: str, *reaches: str) -> Service:
        return Service(ServiceName(name), ImageSource("x:1"), port=80, reaches=reaches)

    calls = mesh(Topology("c", "e", (service("a", "b"), service("b", "c"), service("c", "b"), service("d"))))
    assert calls.before("a") == ("b",)
    assert calls.ring("b") == ("c",)
    assert calls.rank["a"] > calls.rank["b"] == calls.rank["c"]
    assert not calls.connects("d")


def test_a_plan_that_selects_nothing_is_a_problem() -> None:
    data = stacks(CLIENT["production"])["data"]
    assert backup.unselected([data]) == ()
    bare = {name: made for name, made in data.template["Resources"].items() if made["Type"] != "AWS::S3::Bucket"}
    [problem] = backup.unselected([replace(data, template={**data.template, "Resources": bare})])
    assert "selects nothing" in problem.what


def test_a_restart_and_another_callee_make_a_new_deployment() -> None:
    draft = CLIENT["production"]
    labels = [
        resources(stacks(draft, ledger=n)["service-ledger"], "AWS::ECS::TaskDefinition")[0]["ContainerDefinitions"][0][
            "DockerLabels"
        ]["anden.generation"]
        for n in (0, 1)
    ]
    assert labels == ["0", "1"]
    task, _ = resources(stacks(draft)["service-accounts"], "AWS::ECS::TaskDefinition")
    assert task["ContainerDefinitions"][0]["DockerLabels"]["anden.reaches"] == "ledger:8080/http"


def test_versions_side_by_side_have_two_groups_and_alarms() -> None:
    draft = drafts(ROOT / "examples/banco-andino/anden.yaml")["production"]
    services = tuple(replace(each, strategy=Strategy.BLUE_GREEN) for each in draft.topology.services)
    stack = stacks(replace(draft, topology=replace(draft.topology, services=services)))["service-accounts"]
    [service] = resources(stack, "AWS::ECS::Service")
    assert service["DeploymentConfiguration"]["Strategy"] == "BLUE_GREEN"
    assert service["DeploymentConfiguration"]["Alarms"]["Rollback"] is True
    assert len(resources(stack, "AWS::ElasticLoadBalancingV2::TargetGroup")) == 2
    assert service["LoadBalancers"][0]["AdvancedConfiguration"]["ProductionListenerRule"] == {"Ref": "Rule"}


def test_a_host_without_a_domain_has_no_door() -> None:
    one = Service(ServiceName("x"), ImageSource("x:1"), port=80, route=Route("/", "a.example"))
    assert "x" in entrance(Topology("c", "e", (one,))).none
    assert entrance(Topology("c", "e", (one,), domain="b.example")).hosts == ("b.example", "a.example")


def test_a_route_to_what_speaks_no_http_is_shut_and_not_left_to_a_shorter_one() -> None:
    def service(name: str, path: str, protocol: Protocol = Protocol.HTTP) -> Service:
        return Service(ServiceName(name), ImageSource("x:1"), port=80, route=Route(path), protocol=protocol)

    both = (service("bare", "/web/bare", Protocol.TCP), service("web", "/web"))
    topology = Topology("c", "e", both, region="us-east-1")
    images = SimulatedImages().presume(ROOT, {each.name: each.source for each in both})
    made = stacks(blueprint.draft(topology, images, Facts(), None))
    [shut] = resources(made["service-bare"], "AWS::ElasticLoadBalancingV2::ListenerRule")
    [open_] = resources(made["service-web"], "AWS::ElasticLoadBalancingV2::ListenerRule")
    assert shut["Priority"] < open_["Priority"]
    assert "/web/bare/*" in shut["Conditions"][0]["PathPatternConfig"]["Values"]
    assert shut["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "503"
    assert resources(made["service-bare"], "AWS::ElasticLoadBalancingV2::TargetGroup") == []
    [caveat] = [each for each in caveats(topology) if each.subject == "bare route"]
    assert caveat.withholds == ("bare",)


def _scoped(*scopes: str) -> Blueprint:
    draft = CLIENT["production"]
    services = tuple(
        replace(each, route=replace(each.route, scopes=scopes)) if each.name == "accounts" and each.route else each
        for each in draft.topology.services
    )
    return replace(draft, topology=replace(draft.topology, services=services))


def test_one_scope_is_asked_for_and_several_shut_the_door() -> None:
    """Whether the balancer asks for all of several is documented nowhere: so nobody is let in, and the plan says it."""
    kind = "AWS::ElasticLoadBalancingV2::ListenerRule"
    [rule] = resources(stacks(_scoped("read"))["service-accounts"], kind)
    assert rule["Actions"][0]["JwtValidationConfig"]["AdditionalClaims"] == [
        {"Name": "aud", "Format": "single-string", "Values": ["bank"]},
        {"Name": "scope", "Format": "space-separated-values", "Values": ["read"]},
    ]
    both = _scoped("read", "write")
    [rule] = resources(stacks(both)["service-accounts"], kind)
    assert [each["Type"] for each in rule["Actions"]] == ["fixed-response"]
    assert "accounts" in {name for caveat in caveats(both.topology) for name in caveat.withholds}
