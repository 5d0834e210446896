"""Override files: what they mean for an environment, and everything that is wrong with them at once."""

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.manifest import patches
from anden.manifest.patches import Patches
from anden.model.mark import Mark
from anden.model.override import Operation, Override
from anden.model.problem import Problems

ENVIRONMENTS = ("certification", "production")
GOLDEN = Path(__file__).parent / "overrides-wrong.txt"
NETWORK = """stack: network
why: the auditor asks for it
patch:
  - { op: replace, path: /Resources/Vpc/Properties/EnableDnsHostnames, value: false }
  - op: add
    path: /Resources/Vpc/Metadata
    value: { asked: "true", by: on, on: 2024, share: 0.5, none: null, list: [1, two] }
"""


def read(*texts: str, environment: str = "production") -> Patches:
    return patches.read({f"overrides/{n}.yaml": text for n, text in enumerate(texts)}, environment, ENVIRONMENTS)


def value(written: str) -> object:
    (override,) = read(f"stack: a\npatch: [{{ op: add, path: /Resources/x, value: {written} }}]").overrides
    assert override.operations[0].value is not None
    return json.loads(override.operations[0].value)


def test_operations_with_their_places() -> None:
    found = read(NETWORK)
    (override,) = found.overrides
    assert override.stack == "network"
    assert override.operations[0] == Operation("replace", "/Resources/Vpc/Properties/EnableDnsHostnames", "false")
    assert found.marks == {
        "overrides/network/0": Mark("overrides/0.yaml", 4), "overrides/network/1": Mark("overrides/0.yaml", 5),
    }  # fmt: skip


def test_plain_words_are_read_as_yaml_1_2_reads_them() -> None:
    (override,) = read(NETWORK).overrides
    assert override.operations[1].value is not None
    assert json.loads(override.operations[1].value) == {
        "asked": "true", "by": "on", "on": 2024, "share": 0.5, "none": None, "list": [1, "two"],
    }  # fmt: skip
    assert [value(each) for each in ("08", "-3", "1e3", "yes", "'5'", "[]", "{}")] == [
        "08",
        -3,
        1000.0,
        "yes",
        "5",
        [],
        {},
    ]


def test_files_of_one_stack_are_one_override_in_the_order_of_their_names() -> None:
    one = "stack: edge\npatch: [{ op: remove, path: /Resources/A }]"
    two = "stack: edge\npatch: [{ op: move, path: /Resources/B, from: /Resources/C }]"
    other = "stack: data\npatch: [{ op: copy, path: /Resources/B, from: /Resources/C }]"
    found = read(one, two, other)
    assert [each.stack for each in found.overrides] == ["data", "edge"]
    assert [each.op for each in found.overrides[1].operations] == ["remove", "move"]
    assert found.overrides[1].operations[1].origin == "/Resources/C"
    assert found.marks["overrides/edge/1"] == Mark("overrides/1.yaml", 2)


def test_a_renamed_file_means_the_same() -> None:
    again = patches.read({"overrides/other.yaml": NETWORK}, "production", ENVIRONMENTS)
    assert again.overrides == read(NETWORK).overrides
    assert again.marks != read(NETWORK).marks


def test_an_override_of_another_environment_is_left_out() -> None:
    text = "stack: edge\nenvironments: [certification]\npatch: [{ op: remove, path: /Resources/A }]"
    assert read(text) == Patches((), {})
    assert len(read(text, environment="certification").overrides) == 1


def test_no_files_are_no_overrides() -> None:
    assert read() == Patches((), {})


def test_every_problem_of_every_file_at_once() -> None:
    wrong = (
        "", "- a", "stack: [a]\npatch: []", "stack: a\npatch: { op: add }", "stak: a\npatch: [x]",
        "stack: a\nenvironments: [prod, {}]\npatch: [{ op: remove, path: /Resources/A }]",
        "stack: a\npatch: [{ op: relpace, path: /R/A, value: 1 }, { op: add, path: /R/A }, { op: move, path: /R }]",
        "stack: a\npatch: [{ op: remove, path: R/A }, { op: remove, path: /a~2 }, { path: /a }, { op: remove }]",
        "stack: a\npatch: [{ op: add, path: /a, value: !Ref Vpc }]", "stack: a\n  patch: [",
        "stack: a\npatch: [{ op: add, path: /a, vlaue: 1 }]",
    )  # fmt: skip
    with pytest.raises(Problems) as found:
        read(*wrong)
    said = "".join(f"{problem}\n" for problem in found.value.problems)
    if os.environ.get("ANDEN_GOLDEN") == "write":
        GOLDEN.write_text(said)
    assert GOLDEN.read_text() == said


def test_bounds() -> None:
    with pytest.raises(Problems, match="there are 101 of them"):
        read(*["stack: a"] * 101)
    many = "stack: a\npatch:\n" + "  - { op: remove, path: /Resources/A }\n" * 1001
    with pytest.raises(Problems, match="1,001 operations stand here"):
        read(many)


@given(
    st.text(max_size=60),
    st.sampled_from(["", "stack: a\npatch:\n  - ", "stack: a\npatch: [{ op: add, path: /a, value: "]),
)
def test_whatever_is_written_is_read_or_refused(text: str, before: str) -> None:
    with contextlib.suppress(Problems):
        assert all(isinstance(each, Override) for each in read(before + text).overrides)
