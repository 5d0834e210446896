"""One emulator for all of these tests, emptied before each."""

from collections.abc import Iterator

import pytest
from tests.emulator import emulator
from tests.emulator.emulator import Emulator


@pytest.fixture(scope="session")
def _emulator() -> Iterator[Emulator]:
    if emulator.python() is None:
        pytest.skip("the emulator is not installed: ./test does that, or name its Python in ANDEN_EMULATOR")
    with emulator.running() as it:
        yield it


@pytest.fixture
def aws(_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An empty AWS, which the ordinary environment variables of this process lead to."""
    _emulator.forget()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in _emulator.variables().items():
        monkeypatch.setenv(name, value)
    return _emulator
