"""One emulator for all of these tests, emptied before each."""

from collections.abc import Iterator

import pytest
from tests.emulator import emulator
from tests.emulator.emulator import Emulator, reached


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
    for name, value in reached(_emulator).items():
        monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)
    return _emulator
