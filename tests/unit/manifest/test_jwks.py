"""Files of keys: what is taken, what is left out, what is wrong, and that nothing of them is repeated."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from tests import tokens

from anden import manifest
from anden.beside import MOST_BYTES, Beside
from anden.manifest import jwks
from anden.manifest.faults import Wrong
from anden.model.problem import Problems
from anden.model.topology import Route

RSA, EC = tokens.rsa_signer("2026-11"), tokens.ec_signer("2026-10")


def written(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": keys})


def test_rsa_and_p256_by_id() -> None:
    assert jwks.verifying(written(RSA.jwk(), EC.jwk())) == (EC.public, RSA.public)


@pytest.mark.parametrize(
    "other",
    [
        {"use": "enc"}, {"alg": "RSA-OAEP"}, {"alg": "PS256"}, {"alg": "RS512"}, {"key_ops": ["encrypt"]},
        {"kty": "OKP", "crv": "Ed25519"},
    ],
)  # fmt: skip
def test_what_is_for_other_things_is_left_out(other: dict[str, Any]) -> None:
    assert jwks.verifying(written(EC.jwk(), {**RSA.jwk(), **other})) == (EC.public,)


SMALL = tokens.Signer("small", rsa.generate_private_key(65537, 1024))  # noqa: S505 - to be refused
WRONG = {
    "": "not JSON",
    "[" * 50_000: "not JSON",
    "[]": "holds no list of keys",
    '{"keys": {}}': "holds no list of keys",
    '{"keys": [1]}': "holds no list of keys",
    '{"keys": []}': "holds no key that can be used",
    " " * (jwks.MOST_BYTES + 1): "larger than 64 KB",
    written({**RSA.jwk(), "d": "AQAB"}): "holds a private key",
    written(RSA.jwk(), {"kty": "oct", "k": "c2VjcmV0", "kid": "x"}): "holds a private key",
    written({**RSA.jwk(), "kid": None}): "key 1 has no id that can be used",
    written({**RSA.jwk(), "kid": "a b"}): "key 1 has no id that can be used",
    written({**RSA.jwk(), "kid": "a\n"}): "key 1 has no id that can be used",
    written(RSA.jwk(), RSA.jwk()): "key 2 has the id of another",
    written({**RSA.jwk(), "n": "!"}): "key 1 cannot be read",
    written({**RSA.jwk(), "e": 65537}): "key 1 cannot be read",
    written({**EC.jwk(), "y": EC.jwk()["x"]}): "key 1 cannot be read",
    written({**EC.jwk(), "x": "AQAB"}): "key 1 cannot be read",
    written(SMALL.jwk()): "key 1 has 1024 bits",
    written(*({**EC.jwk(), "kid": str(number)} for number in range(21))): "holds 21 keys",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=lambda text: WRONG[text])
def test_what_is_wrong_is_said(text: str) -> None:
    with pytest.raises(Wrong) as raised:
        jwks.verifying(text)
    assert raised.value.what == WRONG[text]
    assert raised.value.why
    assert raised.value.fix.endswith(".")


_values = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["RSA", "EC", "AQAB", "P-256"])
)
_members = st.sampled_from(["kty", "kid", "n", "e", "x", "y", "crv", "alg", "use", "key_ops"])


@given(st.lists(st.dictionaries(_members, _values | st.lists(_values, max_size=2)), max_size=3))
def test_any_set_is_read_or_wrong(keys: list[dict[str, Any]]) -> None:
    try:
        found: object = jwks.verifying(written(*keys))
    except Wrong as wrong:
        found = wrong.what
    assert found


MANIFEST = """\
anden: 1
auth: { customers: { issuer: https://id.bank.example, audience: bank, keys: keys.json } }
services:
  web: { image: web:1, port: 8080, route: { path: /, auth: customers, scopes: [b:write, a] } }
"""


def test_a_manifest_takes_the_keys_beside_it(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(written(RSA.jwk()))
    beside = Beside(tmp_path)
    found = manifest.read(MANIFEST, "anden.yaml", client="c", keys=beside.text).topologies["dev"]
    (issuer,) = found.auth
    assert (issuer.keys_file, issuer.keys) == ("keys.json", (RSA.public,))
    assert found.services[0].route == Route("/", auth="customers", scopes=("a", "b:write"))
    assert beside.texts == {"keys.json": written(RSA.jwk())}
    assert manifest.read(MANIFEST, "anden.yaml", client="c", keys=beside.texts.get).topologies["dev"] == found


def problem(text: str, keys: manifest.Keys = manifest.no_keys) -> str:
    with pytest.raises(Problems) as raised:
        manifest.read(text, "anden.yaml", client="c", keys=keys)
    (found,) = raised.value.problems
    return f"{found.where}: {found.what}"


def test_keys_that_cannot_be_used_are_a_problem_at_their_line() -> None:
    where = "auth/customers/keys (anden.yaml:2): keys.json "
    assert problem(MANIFEST) == where + "cannot be read"
    assert problem(MANIFEST, lambda _: written({**RSA.jwk(), "d": "s3cret"})) == where + "holds a private key"


def test_scopes_without_a_token_are_a_problem() -> None:
    assert problem(MANIFEST.replace("auth: customers, ", ""), lambda _: written(RSA.jwk())).endswith(
        "the route of web asks for scopes and for no token"
    )


@pytest.mark.parametrize("scope", ["two words", 'a"b', "a\\b", "x" * 101])
def test_a_scope_is_one_word(scope: str) -> None:
    text = MANIFEST.replace("[b:write, a]", f"[{json.dumps(scope)}]")
    assert "scopes" in problem(text, lambda _: written(RSA.jwk()))


def test_what_is_no_file_of_text_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_text(" " * (MOST_BYTES + 1))
    beside = Beside(tmp_path)
    assert [beside.text(name) for name in ("folder", "binary", "large", "nowhere", "nul\0")] == [None] * 5
    assert beside.texts == {}
