"""Every kind of single value: what it suggests is right, what editors accept is what is read."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.manifest.json_schema import faults as schema_faults
from tests.unit.manifest.manifests import INVALID, VALID, read, said

from anden.manifest import document
from anden.manifest.faults import Faults
from anden.manifest.grammar import ROOT
from anden.manifest.node import Listing, Node, Scalar, Table
from anden.manifest.record import MapOf, Record
from anden.manifest.shape import BROKEN, Forms, Leaf, ListOf
from anden.model import fargate
from anden.model.problem import Problem, Problems


def leaves(shape: Any) -> Iterator[Leaf]:
    if isinstance(shape, Leaf):
        yield shape
    elif isinstance(shape, Forms):
        yield from leaves(shape.short)
        yield from leaves(shape.long)
    elif isinstance(shape, ListOf):
        yield from leaves(shape.item)
    elif isinstance(shape, MapOf):
        yield shape.key
        yield from leaves(shape.item)
    elif isinstance(shape, Record):
        for field in shape.fields:
            yield from leaves(field.shape)


def scalars(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield node.text
    elif isinstance(node, Listing):
        for item in node.items:
            yield from scalars(item)
    elif isinstance(node, Table):
        for key, child in node.entries.items():
            yield key
            yield from scalars(child)


def corpus() -> list[str]:
    """Every single value of the golden manifests, good and bad."""
    found = {"https://id.bank.example", "1000:1000", "serve", '"111122223333"'}
    for path in (*VALID, *INVALID):
        with suppress(Problems):
            found |= set(scalars(document.parse(path.read_text(), Faults("f"))))
    return sorted(found)


ALL = list({id(leaf): leaf for leaf in leaves(ROOT)}.values())
CORPUS = corpus()
NUMBERS: dict[str, Any] = {text: float(text) for text in CORPUS if re.fullmatch(r"-?[0-9]+\.[0-9]+", text)}
NUMBERS |= {text: int(text) for text in CORPUS if re.fullmatch(r"-?[0-9]+", text)}


@pytest.mark.parametrize("leaf", ALL, ids=lambda leaf: leaf.noun)
def test_a_suggestion_is_accepted(leaf: Leaf) -> None:
    for text in CORPUS:
        check_suggestion(leaf, text)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ALL), st.text(max_size=20) | st.from_regex(r"[0-9./:%a-z -]{1,16}", fullmatch=True))
def test_a_suggestion_is_accepted_for_any_text(leaf: Leaf, text: str) -> None:
    check_suggestion(leaf, text)


def check_suggestion(leaf: Leaf, text: str) -> None:
    for problem in problems(leaf, text):
        if problem.fix.startswith("Did you mean "):
            assert not problems(leaf, problem.fix.removeprefix("Did you mean ").removesuffix("?"))


def problems(leaf: Leaf, text: str) -> tuple[Problem, ...]:
    faults = Faults("f")
    leaf.read(Scalar(text, 1, "x", plain=False), faults)
    try:
        faults.raise_any()
    except Problems as found:
        return found.problems
    return ()


@pytest.mark.parametrize("leaf", ALL, ids=lambda leaf: leaf.noun)
def test_what_is_read_an_editor_accepts(leaf: Leaf) -> None:
    """Numbers and booleans may need quotes in an editor where anden reads them as text."""
    kinds = leaf.json.get("type")
    seen = 0
    for text in CORPUS:
        if leaf.read(Scalar(text, 1, "x"), Faults("f")) is BROKEN:
            continue
        loaded: Any = NUMBERS.get(text, text)
        if kinds == "boolean":
            loaded = text == "true"
        seen += 1
        assert not schema_faults(leaf.json, text if kinds == "string" else loaded, {}), text
    assert seen or leaf.noun == "an AWS account", "the corpus holds one of each"


@pytest.mark.parametrize("cpu", fargate.SIZES)
def test_every_size_of_fargate_and_no_other(cpu: int) -> None:
    for gb in (0.5, *range(1, 130), 244):
        text = f"anden: 1\nservices: {{ web: {{ image: w:1, size: {{ cpu: {cpu / 1000:g}, memory: {gb} GB }} }} }}"
        found = said(text)
        assert (not found) == (gb * 1024 in fargate.SIZES[cpu])
        if found:
            (line,) = found
            memory = line.partition("Use memory: ")[2].partition(" GB")[0]
            if memory and " MB" not in line.partition("Use memory: ")[2]:
                assert not said(text.replace(f"memory: {gb} GB", f"memory: {memory} GB"))


def test_a_secret_is_never_repeated() -> None:
    text = """
anden: 1
services:
  web:
    image: w:1
    env: { API_TOKEN: hunter2-hunter2, PLAIN: "postgres://bank:hunter2-hunter2@db/x" }
    secrets: { CORE: "hunter2-hunter2!!" }
"""
    found = said(text)
    assert len(found) == 3
    assert not any("hunter2" in line for line in found)


def test_quotes_make_an_account() -> None:
    head = "anden: 1\nservices: { web: { image: w:1 } }\n"
    assert read(head + 'account: "011122223333"').topologies["dev"].account == "011122223333"
    assert 'Use "011122223333".' in said(head + "account: 011122223333")[0]
