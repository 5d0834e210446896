"""The page of escape attempts says what the live test tries."""

import os
from pathlib import Path

from tests.live.escapes import page
from tests.live.escapes.attempts import ATTEMPTS
from tests.live.escapes.runner import CALLS

PAGE = Path(__file__).parents[2] / "docs" / "escapes.md"


def test_the_page_is_the_list() -> None:
    if os.environ.get("ANDEN_GOLDEN") == "write":
        PAGE.write_text(page.text())
    assert PAGE.read_text() == page.text(), "docs/escapes.md differs: ANDEN_GOLDEN=write, and review the difference"


def test_every_attempt_can_be_told_from_a_success() -> None:
    assert len({each.name for each in ATTEMPTS}) == len(ATTEMPTS) >= 25
    for each in ATTEMPTS:
        assert not {"passed", *each.outside} & set(each.refused), each.name
        assert each.users


def test_programs_compile_and_call_what_the_runner_knows() -> None:
    for each in ATTEMPTS:
        compile(each.program, each.name, "exec")
    called = {name for each in ATTEMPTS for name in CALLS if f"call('{name}'" in each.program}
    assert called == set(CALLS)
