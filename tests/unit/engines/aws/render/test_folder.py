"""What a team with its own pipeline is handed beside the templates."""

import json
from typing import Any

import pytest
from tests.unit.planning.topologies import drafted, service, topology

from anden.engines.aws.render.folder import INLINE_BYTES, capabilities, files, waves
from anden.engines.aws.render.template import Part, Published, Stack, Template, assemble, resource

BANK = drafted(topology(service("web"), account="111122223333", region="us-east-1"))
VPC = Published("network", "vpc", "String")


def stack(family: str, *uses: Published, lasting: bool = False, **properties: Any) -> Stack:
    made = resource("AWS::SSM::Parameter", Value=list(uses), **properties)
    return assemble(
        name=f"anden-{family}", family=family, region="us-east-1", description="x", space="/s",
        parts=[Part({"Made": made}, {"vpc": "v"} if family == "network" else {})], lasting=lasting,
    )  # fmt: skip


STACKS = (stack("network", lasting=True), stack("data"), stack("edge", VPC), stack("firewall", VPC))


def test_waves_hold_what_may_be_made_at_once() -> None:
    assert [[each.family for each in wave] for wave in waves(STACKS)] == [["network", "data"], ["edge", "firewall"]]
    assert waves(()) == ()


def test_a_file_for_each_stack_and_the_order() -> None:
    made = files(BANK, STACKS)
    assert list(made) == ["network.json", "data.json", "edge.json", "firewall.json", "order.json", "README.md"]
    order = json.loads(made["order.json"])
    assert [(each["file"], each["wave"], each["after"]) for each in order["stacks"]] == [
        ("network.json", 1, []), ("data.json", 1, []), ("edge.json", 2, ["network"]), ("firewall.json", 2, ["network"]),
    ]  # fmt: skip
    assert [each["termination_protection"] for each in order["stacks"]] == [True, False, False, False]
    assert order["blueprint"] == BANK.digest
    assert order["tags"] == {"anden:client": "banco-andino", "anden:environment": "certification"}
    assert order["account"] == "111122223333"
    assert order["images"]["web"]["repository"] == "banco-andino/certification/web"
    assert "with termination protection" in made["README.md"]


def test_a_large_template_comes_by_s3() -> None:
    large = stack("large", Description="x" * INLINE_BYTES)
    (said,) = json.loads(files(BANK, (large,))["order.json"])["stacks"]
    assert said["by_s3"]


@pytest.mark.parametrize(
    ("kind", "properties", "wanted"),
    [
        ("AWS::S3::Bucket", {}, ()),
        ("AWS::IAM::Role", {}, ("CAPABILITY_IAM",)),
        ("AWS::IAM::Role", {"RoleName": "deployer"}, ("CAPABILITY_NAMED_IAM",)),
        ("AWS::IAM::ManagedPolicy", {"ManagedPolicyName": "boundary"}, ("CAPABILITY_NAMED_IAM",)),
        ("AWS::IAM::Policy", {"PolicyName": "inline"}, ("CAPABILITY_IAM",)),
    ],
)
def test_capabilities(kind: str, properties: dict[str, Any], wanted: tuple[str, ...]) -> None:
    template = Template(
        AWSTemplateFormatVersion="2010-09-09", Description="", Parameters={}, Outputs={},
        Resources={"Made": resource(kind, **properties)},
    )  # fmt: skip
    assert capabilities(template) == wanted
