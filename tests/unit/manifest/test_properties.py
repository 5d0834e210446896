"""Laws of reading: it never breaks, order means nothing, overrides merge."""

import copy
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.manifest.manifests import INVALID, VALID, Data, bases, dump, means, merged, overrides, said, shuffled

from anden.manifest.grammar import DESTINATION, LINK, ROOT, ROUTE, SERVICE

TEXTS = [path.read_text() for path in (*VALID, *INVALID)]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_any_text_reads_or_has_problems(text: str) -> None:
    said(text)


YAMLISH = st.sampled_from(
    [*"{}[]?#|~0a'\"\n\t\x00\x85\ud800é", ": ", ", ", "  ", "- ", "&a", "*a", "<<", "!!x", "services", "anden"]
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_a_damaged_manifest_reads_or_has_problems(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:start] + "".join(data.draw(st.lists(YAMLISH, max_size=3))) + text[start + cut :]
    said(text)


FIELDS = sorted({field.name for record in (SERVICE, LINK, ROUTE, ROOT, DESTINATION) for field in record.fields})
FIELDS += ["cpu", "memory", "base", "max", "latency", "web", "core"]
VALUES = ["", "1", "2..8", "/x", "web", "10.0.0.0/8", "192.0.2.1:443", "true", "99%", "50 requests", "2 GB", "core"]
VALUES += ["9" * 5000, "x" * 3000, "::", "-1", "0", "٣", "²"]
TOP = ["services", "environments", "destinations", "auth", "zones", "network", "egress", "links"]
anything = st.recursive(
    st.none() | st.sampled_from(VALUES) | st.text(max_size=6) | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({"anden": st.just(1)}, optional=dict.fromkeys(TOP, anything)))
def test_anything_in_any_field_reads_or_has_problems(data: Data) -> None:
    said(dump(data))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), anything, max_size=8), st.booleans())
def test_anything_in_a_service_or_a_link_reads_or_has_problems(fields: Data, in_link: bool) -> None:
    service = {"image": "web:1", **fields}
    environment = {"links": {"core": fields}, "destinations": {"core-api": fields}} if in_link else {}
    said(dump({"anden": 1, "environments": {"dev": environment}, "services": {"web": service}}))


@quick
@given(bases().flatmap(lambda base: st.tuples(st.just(base), shuffled(base))))
def test_order_of_keys_means_nothing(pair: tuple[Data, Data]) -> None:
    assert means(pair[0]) == means(pair[1])


with_override = bases().flatmap(lambda base: st.tuples(st.just(base), overrides(base)))


def in_environment(base: Data, over: Any) -> Any:
    return means({**copy.deepcopy(base), "environments": {"other": over, "plain": None}})


@quick
@given(with_override)
def test_an_override_is_the_merged_manifest(pair: tuple[Data, Data]) -> None:
    base, over = pair
    found = in_environment(base, over)
    assert found["other"] == replace(means(merged(base, over))["dev"], environment="other")
    assert found["plain"] == replace(means(base)["dev"], environment="plain")


@quick
@given(bases(), st.data())
def test_saying_the_same_again_changes_nothing(base: Data, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(base["services"])))
    same = {"services": {name: dict(base["services"][name])}, "zones": base["zones"]}
    found = in_environment(base, same)
    assert found["other"] == replace(found["plain"], environment="other")


@quick
@given(bases(), st.data())
def test_null_removes(base: Data, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(base["services"])))
    field = data.draw(st.sampled_from(sorted(base["services"][name].keys() - {"image", "port"}) or ["user"]))
    without = copy.deepcopy(base)
    without["services"][name].pop(field, None)
    found = in_environment(base, {"services": {name: {field: None}}})
    assert found["other"] == replace(means(without)["dev"], environment="other")
