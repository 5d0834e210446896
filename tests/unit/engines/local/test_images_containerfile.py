"""On which images a Containerfile stands, and what of a folder is its context."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.images import context, ignore
from anden.engines.local.images.containerfile import Outside, bases
from anden.model.problem import Problems

OURS = "ARG BASE\nFROM ${BASE}\nCOPY app.py /\n"


@pytest.mark.parametrize(
    ("text", "wants_base", "outside"),
    [
        (OURS, True, ()),
        ("ARG BASE=python:3.12\nFROM $BASE\n", True, ()),
        ("arg BASE\nfrom ${BASE:-python:3.12} as build\nFROM scratch\nCOPY --from=build /a /a\n", True, ()),
        ("FROM scratch\nADD x /\n", False, ()),
        ("FROM python:3.12-slim\n", False, (Outside("python:3.12-slim", 1),)),
        (
            "# a comment\n\nFROM \\\n  --platform=linux/amd64 \\\n  alpine AS a\nFROM a\n",
            False,
            (Outside("alpine", 3),),
        ),
        ("FROM ${BASE}\n", False, (Outside("${BASE}", 1),)),
        ("ARG OTHER\nFROM ${OTHER}\n", False, (Outside("${OTHER}", 2),)),
        ("FROM scratch\nCOPY --from=busybox:1 /bin/sh /\n", False, (Outside("busybox:1", 2),)),
        ("FROM scratch AS a\nFROM scratch\nCOPY --chown=1 --from=0 /x /\n", False, ()),
        (f"{OURS}RUN --mount=type=bind,from=golang,target=/go true\n", True, (Outside("golang", 4),)),
        (f"{OURS}RUN curl --from=x http://example\n", True, ()),
        ("FROM oci:/srv/base:1\n", False, (Outside("oci:/srv/base:1", 1),)),
    ],
)
def test_bases(text: str, wants_base: bool, outside: tuple[Outside, ...]) -> None:
    found = bases(text)
    assert found.wants_base is wants_base
    assert found.outside == outside


def test_no_from_is_no_stage() -> None:
    assert bases("COPY a /\n").stages == 0


@given(st.text())
def test_reading_never_fails(text: str) -> None:
    bases(text)


@pytest.mark.parametrize(
    ("rules", "path", "out"),
    [
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "sub/a.pyc", False),
        ("**/*.pyc", "sub/deep/a.pyc", True),
        ("**/*.pyc", "a.pyc", True),
        ("node_modules", "node_modules/x/y", True),
        ("/build/", "build/x", True),
        ("docs/**", "docs/a/b", True),
        ("*\n!app.py", "app.py", False),
        ("*\n!app.py", "other.py", True),
        ("!a\na", "a", True),
        ("# a\n\na?c", "abc", True),
        ("a[0-9]", "a7", True),
        ("a[!0-9]", "a7", False),
        ("a.c", "abc", False),
    ],
)
def test_ignore(rules: str, path: str, out: bool) -> None:
    assert ignore.ignored(path, ignore.rules(rules)) is out


@given(st.text(), st.text(min_size=1))
def test_ignore_never_fails(text: str, path: str) -> None:
    ignore.ignored(path, ignore.rules(text))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "app"
    (place / "sub").mkdir(parents=True)
    (place / "Containerfile").write_text(OURS)
    (place / "app.py").write_text("print(1)\n")
    (place / "sub" / "data").write_text("x")
    (place / "link").symlink_to("nowhere")
    return place


def digest(folder: Path, into: Path | None = None) -> str:
    return context.digest(context.find(folder, "services/x/build"), "services/x/build", into)


def test_the_digest_is_of_names_modes_links_and_contents(folder: Path) -> None:
    seen = [digest(folder)]
    (folder / "app.py").write_text("print(2)\n")
    seen.append(digest(folder))
    (folder / "app.py").chmod(0o755)
    seen.append(digest(folder))
    (folder / "app.py").rename(folder / "main.py")
    seen.append(digest(folder))
    (folder / "link").unlink()
    (folder / "link").symlink_to("elsewhere")
    seen.append(digest(folder))
    (folder / "empty").mkdir()
    seen.append(digest(folder))
    assert len(set(seen)) == len(seen)


def test_the_digest_is_not_of_times(folder: Path) -> None:
    before = digest(folder)
    os.utime(folder / "app.py", (1, 1))
    assert digest(folder) == before


def test_what_is_ignored_does_not_count_and_is_not_copied(folder: Path, tmp_path: Path) -> None:
    (folder / ".dockerignore").write_text("sub\n*.md\nContainerfile\n")
    before = digest(folder)
    (folder / "sub" / "data").write_text("y")
    (folder / "README.md").write_text("y")
    assert digest(folder) == before
    copy = tmp_path / "copy"
    copy.mkdir()
    assert digest(folder, copy) == before
    assert sorted(path.name for path in copy.iterdir()) == [".dockerignore", "Containerfile", "app.py", "link"]
    assert (copy / "link").is_symlink()


def test_a_copy_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    (folder / "sub").chmod(0o750)
    (folder / "app.py").chmod(0o640)
    copy = tmp_path / "copy"
    copy.mkdir()
    assert digest(folder, copy) == digest(folder) == digest(copy)


def test_bounds_are_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MOST_FILES", 3)
    with pytest.raises(Problems, match="more than 3 files"):
        digest(folder)
    monkeypatch.undo()
    monkeypatch.setattr(context, "MOST_BYTES", 5)
    with pytest.raises(Problems, match="more than 0 MiB"):
        digest(folder)


def test_a_socket_is_refused(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
        with pytest.raises(Problems, match="socket, pipe or device"):
            digest(folder)


def test_a_folder_without_a_containerfile(tmp_path: Path) -> None:
    with pytest.raises(Problems, match="holds neither"):
        context.find(tmp_path, "services/x/build")
    with pytest.raises(Problems, match="is not a folder"):
        context.find(tmp_path / "absent", "services/x/build")
