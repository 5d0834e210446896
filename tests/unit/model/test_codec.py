"""Values as text: that the fast way writes what the slow way does."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning.topologies import drafted, service, topology

from anden.model import codec
from anden.model.blueprint import Layout, Placement
from anden.model.image import Image
from anden.model.topology import Range

WHOLE = (Layout, Placement, Image)
"""What a blueprint's digest has written by `whole`, besides texts and whole numbers."""


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_written_whole_has_no_fraction_in_it(kind: type) -> None:
    def parts(of: Any) -> set[Any]:
        if is_dataclass(of):
            hints = get_type_hints(of)
            return {kind for one in fields(of) for kind in parts(hints[one.name])}
        inside = [each for each in get_args(of) if each is not ...]
        if get_origin(of) is None:
            return {getattr(of, "__supertype__", of)}
        return {kind for each in inside for kind in parts(each)}

    assert parts(kind).isdisjoint({float, Any, object})


TEXTS = st.text()
IMAGES = st.builds(
    Image, name=TEXTS, digest=TEXTS, architecture=TEXTS, entrypoint=st.lists(TEXTS).map(tuple),
    command=st.lists(TEXTS).map(tuple), env=st.dictionaries(TEXTS, TEXTS), user=TEXTS, workdir=TEXTS,
)  # fmt: skip


@given(st.dictionaries(TEXTS, IMAGES))
def test_images_are_written_whole_as_ever(images: Mapping[str, Image]) -> None:
    ever = codec.canonical({name: codec.to_data(image) for name, image in images.items()})
    assert codec.whole(images) == ever
    assert codec.whole(MappingProxyType(images)) == ever


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 3))
def test_placements_are_written_whole_as_ever(count: int, level: int, zones: int) -> None:
    ports = [None if number % 3 == 0 else 8080 for number in range(count)]
    services = [service(f"s{number}", port, instances=Range(1, level)) for number, port in enumerate(ports)]
    blueprint = drafted(topology(*services, zones=zones))
    assert codec.whole(blueprint.placements) == codec.canonical([codec.to_data(one) for one in blueprint.placements])
    assert codec.whole(blueprint.layout) == codec.to_json(blueprint.layout)


@given(st.dictionaries(TEXTS, st.recursive(st.none() | TEXTS | st.integers(), st.lists)))
def test_an_object_by_its_members_has_the_digest_that_it_has_at_once(members: dict[str, Any]) -> None:
    assert codec.digest_of({name: codec.canonical(value) for name, value in members.items()}) == codec.digest(members)


def test_whole_refuses_what_is_no_value_of_ours() -> None:
    with pytest.raises(TypeError):
        codec.whole({"a": object()})


def test_fractions_are_why_whole_is_not_for_everything() -> None:
    assert codec.whole([1e-5]) != codec.canonical([1e-5])
    assert codec.whole([math.pi]) == codec.canonical([math.pi])
