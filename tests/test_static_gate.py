"""The gate itself: each validator is heard, warnings too, and nothing passes without a reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.static_gate import Suppression, gate, suppressions_of

REGION = "us-east-1"


def template(**resources: Any) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def test_nothing_to_say_of_a_right_template() -> None:
    assert gate(template(Logs=bucket(BucketName="logs-of-a-client")), REGION).findings == ()


def test_both_validators_are_heard() -> None:
    found = gate(template(Logs=bucket(Nonsense=1)), REGION).findings
    assert {each.tool for each in found} == {"cloudformation-validate", "cfn-lint"}
    assert {each.resource for each in found} == {"Logs"}
    assert all("Nonsense" in each.text for each in found)


def test_a_warning_counts() -> None:
    service = {"Type": "AWS::ECS::Service", "Properties": {"LaunchType": "NEITHER"}}
    assert any(each.rule.startswith(("W", "E", "F")) for each in gate(template(Web=service), REGION).findings)
    unused = json.loads(template(Logs=bucket())) | {"Parameters": {"Unused": {"Type": "String"}}}
    assert "W2001" in {each.rule for each in gate(json.dumps(unused), REGION).findings}


def test_what_is_no_template_does_not_pass() -> None:
    assert gate("{", REGION).findings
    assert gate("[]", REGION).findings


def test_a_suppression_covers_its_rule_type_and_place_only() -> None:
    text = template(Logs=bucket(Nonsense=1))
    rules = {each.rule for each in gate(text, REGION).findings}
    right = [Suppression(rule, "AWS::S3::*", "*Nonsense*", "it is only an example") for rule in rules]
    judged = gate(text, REGION, right)
    assert judged.findings == ()
    assert judged.used == set(right)
    elsewhere = [Suppression(rule, "AWS::SQS::Queue", "*", "x") for rule in rules]
    assert gate(text, REGION, elsewhere).findings
    assert gate(text, REGION, elsewhere).used == frozenset()


def test_a_suppression_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "suppressions.yaml"
    path.write_text("- { rule: W2001 }\n")
    with pytest.raises(ValueError, match="nobody says why"):
        suppressions_of(path)
