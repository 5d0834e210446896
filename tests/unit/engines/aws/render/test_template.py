"""Templates as text: what is published is found wherever it stands, and the text is the template's."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.aws.render.template import Part, Published, assemble, resource, text

VPC = Published("network", "vpc", "AWS::EC2::VPC::Id")
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


def assembled(properties: Any) -> Any:
    parts = (Part({"Thing": resource("AWS::Some::Thing", **properties)}),)
    return assemble(name="anden-x", family="rules", region="us-east-1", description="d", space="/anden/x", parts=parts)


@pytest.mark.parametrize("properties", [
    {"A": VPC}, {"A": [VPC]}, {"A": ({"B": [{"C": VPC}]},)}, {"A": {"Fn::Join": ["", ["x", VPC]]}},
], ids=["itself", "in a list", "deep within", "in a function"])  # fmt: skip
def test_what_is_published_is_found_wherever_it_stands(properties: Any) -> None:
    stack = assembled(properties)
    assert stack.after == ("network",)
    [parameter] = json.loads(stack.text)["Parameters"].values()
    assert parameter == {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::VPC::Id>", "Default": "/anden/x/network/vpc"}


@given(VALUES)
def test_the_text_is_what_python_writes_of_the_same(value: Any) -> None:
    assert text({"A": value}) == json.dumps({"A": value}, indent=1, ensure_ascii=False) + "\n"


def test_a_stack_with_another_template_has_another_text() -> None:
    stack = assembled({"A": 1})
    other = replace(stack, template=assembled({"A": 2}).template)
    assert json.loads(other.text)["Resources"]["Thing"]["Properties"] == {"A": 2}


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="nothing that JSON can hold"):
        assembled({"A": object()})
