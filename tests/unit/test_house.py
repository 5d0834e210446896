"""The house rules that a machine can check (docs: CONTRIBUTING.md)."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
BANNED_NAMES = {"utils", "util", "manager", "helpers", "helper", "base", "common", "misc"}
LONGEST_MODULE_LINES = 500


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / name for name in listing.splitlines() if (ROOT / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in tracked():
        try:
            found.append((path, path.read_text()))
        except UnicodeDecodeError:
            continue
    return found


def test_no_module_is_two_modules() -> None:
    long = {str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 500}
    assert not long, f"past {LONGEST_MODULE_LINES} lines two things live together: {long}"


def test_modules_are_nouns_of_the_field() -> None:
    named = [str(path.relative_to(ROOT)) for path in SOURCES if {path.stem, path.parent.name} & BANNED_NAMES]
    assert not named, f"name it after what it holds: {named}"


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a path of one machine", r"(?<![\w.*}-])(/work/|/root/)"),
        ("a registry's address", r"--(extra-)?index-url|pythonhosted|npmjs\.org|deb\.debian\.org|pypi\.org"),
        ("a promise left in the code", r"\b(TODO|FIXME|XXX)\b"),
        ("a word that nobody can keep", r"(?i)\b(production-ready|military-grade|bank-grade|unhackable)\b"),
    ],
)
def test_no_file_says(what: str, pattern: str) -> None:
    here = Path(__file__).resolve()
    lines = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        if path.resolve() != here
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert not lines, f"{what} stands in:\n" + "\n".join(lines)


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]+)?\)")


def test_every_link_in_the_documents_leads_somewhere() -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {match[1]}"
        for path, text in texts()
        if path.suffix == ".md"
        for match in LINK.finditer(text)
        if "://" not in match[1] and not (path.parent / match[1]).exists()
    ]
    assert not dead, "\n".join(dead)


def test_code_that_the_tour_names_exists() -> None:
    """`docs/tour.md` names code as `path.py:function`; each must be there."""
    tour = ROOT / "docs" / "tour.md"
    wrong = []
    for name, symbol in re.findall(r"`(src/[\w/]+\.py)(?::([\w.]+))?`", tour.read_text()):
        path = ROOT / name
        last = symbol.rpartition(".")[2]
        if not path.is_file() or (last and not re.search(rf"\b(def|class) {last}\b|^{last}\b", path.read_text(), re.M)):
            wrong.append(f"{name}:{symbol}")
    assert not wrong, wrong
