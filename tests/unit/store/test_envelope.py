import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.store.envelope import KEY_BYTES, About, BrokenSeal, Sealed, seal, unseal

ABOUT = About("bank", "dev", "local", "core-token", "v1-00")
KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)


@given(key=KEYS, value=st.binary(max_size=300))
def test_what_was_sealed_opens(key: bytes, value: bytes) -> None:
    assert unseal(key, seal(key, value, ABOUT), ABOUT) == value


@given(key=KEYS, value=st.binary(min_size=1, max_size=60), part=st.sampled_from(["wrapped", "body"]), data=st.data())
def test_a_changed_byte_is_found(key: bytes, value: bytes, part: str, data: st.DataObject) -> None:
    sealed = seal(key, value, ABOUT)
    raw = bytearray(base64.b64decode(getattr(sealed, part)))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    changed = base64.b64encode(bytes(raw)).decode()
    other = Sealed(changed, sealed.body) if part == "wrapped" else Sealed(sealed.wrapped, changed)
    with pytest.raises(BrokenSeal):
        unseal(key, other, ABOUT)


def test_every_single_byte_of_a_record_counts() -> None:
    key = b"k" * KEY_BYTES
    sealed = seal(key, b"a value", ABOUT)
    for part in ("wrapped", "body"):
        raw = base64.b64decode(getattr(sealed, part))
        for at in range(len(raw)):
            for cut in (raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], raw[:at]):
                text = base64.b64encode(cut).decode()
                other = replace(sealed, wrapped=text) if part == "wrapped" else replace(sealed, body=text)
                with pytest.raises(BrokenSeal):
                    unseal(key, other, ABOUT)


def test_base64_that_says_the_same_in_other_letters_is_not_ours() -> None:
    key = b"k" * KEY_BYTES
    sealed = next(one for one in (seal(key, b"v" * n, ABOUT) for n in range(3)) if one.body.endswith("="))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = sealed.body.rstrip("=")
    again = body[:-1] + letters[letters.index(body[-1]) ^ 1] + "=" * (len(sealed.body) - len(body))
    with pytest.raises(BrokenSeal):
        unseal(key, Sealed(sealed.wrapped, again), ABOUT)


@given(text=st.text(max_size=12), field=st.sampled_from(["client", "environment", "engine", "name", "version"]))
def test_it_opens_only_where_it_belongs(text: str, field: str) -> None:
    key = b"k" * KEY_BYTES
    elsewhere = replace(ABOUT, **{field: text})
    if elsewhere == ABOUT:
        return
    with pytest.raises(BrokenSeal):
        unseal(key, seal(key, b"value", ABOUT), elsewhere)


@given(
    one=st.lists(st.text(max_size=4), min_size=5, max_size=5),
    other=st.lists(st.text(max_size=4), min_size=5, max_size=5),
)
def test_names_never_run_into_each_other(one: list[str], other: list[str]) -> None:
    assert (About(*one).data() == About(*other).data()) == (one == other)


def test_two_seals_of_the_same_value_share_nothing() -> None:
    key = b"k" * KEY_BYTES
    first, second = seal(key, b"value", ABOUT), seal(key, b"value", ABOUT)
    assert first.wrapped != second.wrapped
    assert first.body != second.body


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(BrokenSeal):
        unseal(b"x" * KEY_BYTES, seal(b"k" * KEY_BYTES, b"value", ABOUT), ABOUT)
