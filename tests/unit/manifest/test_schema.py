"""The JSON Schema: it accepts what is valid, refuses what is misspelt, and describes everything."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.manifest.json_schema import faults
from tests.unit.manifest.manifests import VALID, Data, bases, overrides

from anden.manifest import schema
from anden.manifest.grammar import SERVICE

SCHEMA = schema()


def refused(data: Any) -> list[str]:
    return faults(SCHEMA, data, SCHEMA["$defs"])


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.parent.name)
def test_it_accepts_the_goldens(path: Any) -> None:
    assert not refused(yaml.safe_load(path.read_text()))


@settings(max_examples=60, deadline=None)
@given(bases().flatmap(lambda base: st.tuples(st.just(base), overrides(base))))
def test_it_accepts_what_reads(pair: tuple[Data, Data]) -> None:
    assert not refused({**pair[0], "environments": {"dev": pair[1], "test": None}})


SMALL: Data = {"anden": 1, "services": {"web": {"image": "web:1.0.0", "port": 8080}}}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"anden": 2}, "/anden"),
        ({"cleint": "x"}, "/cleint"),
        ({"links": {}}, "/links"),
        ({"services": {"web": {"imgae": "web:1"}}}, "/services/web/imgae"),
        ({"services": {"web": {"image": "web:1", "port": 80800}}}, "/services/web/port"),
        ({"services": {"Web": {"image": "web:1"}}}, "/services/Web"),
        ({"services": {"gateway": {"image": "web:1"}}}, "/services/gateway"),
        ({"services": {"web": None}}, "/services/web"),
        ({"services": {"web": {"size": {"cpu": 3}}}}, "/services/web/size"),
        ({"services": {"web": {"instances": "8-2"}}}, "/services/web/instances"),
        ({"services": {"web": {"route": {"host": "a.example"}}}}, "/services/web/route"),
        ({"services": {"web": {"reaches": [1]}}}, "/services/web/reaches"),
        ({"zones": 5}, "/zones"),
        ({"account": 111122223333}, "/account"),
        ({"environments": {"dev": {"zoness": 2}}}, "/environments/dev/zoness"),
        ({"environments": {"dev": {"links": {"core": {"peer": "203.0.113.1"}}}}}, "/environments/dev/links/core"),
        ({"environments": {"dev": {"services": {"web": {"prot": 1}}}}}, "/environments/dev/services/web/prot"),
    ],
)
def test_it_refuses_what_is_misspelt(change: Data, where: str) -> None:
    assert not refused(SMALL)
    assert any(where in each for each in refused({**SMALL, **change}))


def test_a_manifest_needs_its_version() -> None:
    assert refused({"services": SMALL["services"]})


def descriptions(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        for name, each in part.get("properties", {}).items():
            yield name, each
        for each in part.values():
            yield from descriptions(each)
    elif isinstance(part, list):
        for each in part:
            yield from descriptions(each)


def test_every_field_is_described_for_editors() -> None:
    found = list(descriptions(SCHEMA))
    assert len(found) > 60
    for name, each in found:
        assert each["description"].endswith("."), name


def test_it_is_json_and_every_reference_leads_somewhere() -> None:
    text = json.dumps(SCHEMA)
    assert json.loads(text) == SCHEMA
    for part in text.split('"$ref": "#/$defs/')[1:]:
        assert part.partition('"')[0] in SCHEMA["$defs"]


def test_words_from_elsewhere_lead_to_fields_or_advice() -> None:
    for word, advice in SERVICE.elsewhere.items():
        assert word not in SERVICE.by_name
        assert advice in SERVICE.by_name or advice.endswith("."), word
