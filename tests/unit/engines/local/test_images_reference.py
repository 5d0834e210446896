"""What an `image:` may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.images.reference import Kind, named, parse
from anden.model.problem import Problems

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("said", "kind", "place", "tag"),
    [
        ("accounts:1.4.2", Kind.NAMED, "accounts:1.4.2", ""),
        ("accounts", Kind.NAMED, "accounts:latest", ""),
        ("team/accounts:1", Kind.NAMED, "team/accounts:1", ""),
        ("registry.example:5000/accounts", Kind.NAMED, "registry.example:5000/accounts:latest", ""),
        ("docker.io/library/redis:7", Kind.NAMED, "redis:7", ""),
        ("docker.io/bank/vault:7", Kind.NAMED, "bank/vault:7", ""),
        ("oci:images/x:1.4", Kind.OCI, "images/x", "1.4"),
        ("oci-archive:x.tar", Kind.OCI_ARCHIVE, "x.tar", ""),
        ("docker-archive:/srv/x.tar:accounts:1.4", Kind.DOCKER_ARCHIVE, "/srv/x.tar", "accounts:1.4"),
        ("build:../accounts", Kind.BUILD, "../accounts", ""),
    ],
)
def test_forms(said: str, kind: Kind, place: str, tag: str) -> None:
    found = parse(said, "services/x/image")
    assert (found.kind, found.place, found.tag, found.said) == (kind, place, tag, said)


def test_digests() -> None:
    assert parse(DIGEST, "-").digest == DIGEST
    assert parse(f"accounts@{DIGEST}", "-").digest == DIGEST
    assert parse(f"accounts@{DIGEST}", "-").kind is Kind.PINNED


@pytest.mark.parametrize(
    "said", ["", "Accounts:1", "a b", "accounts@sha256:12", "accounts:", ":1", "a:b:c", "oci:", "-x"]
)
def test_what_is_no_image_is_said_with_the_forms(said: str) -> None:
    with pytest.raises(Problems) as found:
        parse(said, "services/x/image")
    (problem,) = found.value.problems
    assert problem.where == "services/x/image"
    assert "docker-archive:FILE" in problem.fix


@given(st.from_regex(r"[a-z0-9]{1,9}(/[a-z0-9]{1,9})?(:[a-z0-9.]{1,9})?", fullmatch=True))
def test_a_name_with_its_tag_stays_itself(name: str) -> None:
    assert named(named(name)) == named(name)
    assert ":" in named(name)
