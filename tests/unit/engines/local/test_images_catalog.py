"""LocalImages where nothing has to be built: what is known, presumed, refused. The cache is a real folder."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from anden.engines.local.images import LocalImages, cache, foundation
from anden.engines.local.images.cache import Cache, Kind
from anden.machine import SystemClock
from anden.model.event import Event
from anden.model.ids import Digest
from anden.model.image import Image
from anden.model.problem import Problem, Problems
from anden.model.topology import ImageSource


def put(store: Cache, architecture: str = "", **run: Any) -> Digest:
    """An image without files, as a tool would write it."""
    blobs = store.root / "blobs" / "sha256"

    def blob(value: Any) -> dict[str, Any]:
        data = json.dumps(value).encode()
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"digest": f"sha256:{name}", "size": len(data)}

    config = {"architecture": architecture or foundation.architecture(), "os": "linux", "config": run}
    manifest = blob({"schemaVersion": 2, "config": blob(config), "layers": []})
    with store.work() as work:
        folder = work / "layout"
        store.prepare_layout(folder)
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
        return store.adopt(folder)


@pytest.fixture
def store(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "images", SystemClock())
    made.make()
    return made


@pytest.fixture
def images(store: Cache) -> LocalImages:
    return LocalImages(store.root, SystemClock())


def resolve(images: LocalImages, folder: Path, **sources: ImageSource) -> dict[str, Image]:
    return dict(each for each in images.resolve(folder, sources) if not isinstance(each, Event))


def problems(images: LocalImages, folder: Path, **sources: ImageSource) -> tuple[Problem, ...]:
    with pytest.raises(Problems) as found:
        list(images.resolve(folder, sources))
    return found.value.problems


def test_a_known_name_and_a_digest_are_the_image(images: LocalImages, store: Cache, tmp_path: Path) -> None:
    digest = put(store, Cmd=["serve"], Entrypoint=["/app"], Env=["A=1", "B=x=y"], User="10001", WorkingDir="/srv")
    store.remember(Kind.NAME, "accounts:1.4.2", digest)
    wanted = Image(
        "accounts:1.4.2",
        digest,
        foundation.architecture(),
        ("/app",),
        ("serve",),
        {"A": "1", "B": "x=y"},
        "10001",
        "/srv",
    )
    assert resolve(images, tmp_path, a=ImageSource("accounts:1.4.2")) == {"a": wanted}
    assert images.presume(tmp_path, {"a": ImageSource("accounts:1.4.2")}) == {"a": wanted}
    pinned = resolve(images, tmp_path, a=ImageSource(f"accounts@{digest}"), b=ImageSource(digest))
    assert {image.digest for image in pinned.values()} == {digest}


def test_everything_that_is_missing_is_said_at_once(images: LocalImages, tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "Containerfile").write_text("FROM python:3.12\n")
    found = problems(
        images, tmp_path,
        a=ImageSource("accounts:1.4.2"), b=ImageSource(build="nowhere"), c=ImageSource(build="public"),
        d=ImageSource("Bad Name"), e=ImageSource("sha256:" + "0" * 64),
    )  # fmt: skip
    assert [problem.where for problem in found] == [
        "services/a/image", "services/b/build", "services/c/build", "services/d/image", "services/e/image",
    ]  # fmt: skip
    assert "not in the image cache" in found[0].what
    assert "docker-archive:FILE" in found[0].fix
    assert "Containerfile:1 stands on python:3.12" in found[2].what
    assert "pulls nothing from public registries" in found[2].why
    assert "ARG BASE" in found[2].fix


def test_another_architecture_names_both(images: LocalImages, store: Cache, tmp_path: Path) -> None:
    store.remember(Kind.NAME, "accounts:1", put(store, "mips64", Cmd=["x"]))
    (problem,) = problems(images, tmp_path, a=ImageSource("accounts:1"))
    assert problem.what == f"accounts:1 is built for mips64, this machine is {foundation.architecture()}"


def test_a_name_keeps_its_image(store: Cache) -> None:
    first, second = put(store, Cmd=["1"]), put(store, Cmd=["2"])
    assert store.remember(Kind.NAME, "accounts:1", first) == first
    assert store.remember(Kind.NAME, "accounts:1", second) == first
    assert store.recall(Kind.NAME, "accounts:1") == first


def test_presuming_never_fails_and_follows_the_context(images: LocalImages, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY app.py /\n")
    (tmp_path / "app" / "app.py").write_text("1")
    sources = {
        "a": ImageSource("x:1"),
        "b": ImageSource(build="app"),
        "c": ImageSource(build="no"),
        "d": ImageSource("??"),
    }
    first = images.presume(tmp_path, sources)
    assert first == images.presume(tmp_path, sources)
    assert len({image.digest for image in first.values()}) == 4
    (tmp_path / "app" / "app.py").write_text("2")
    second = images.presume(tmp_path, sources)
    assert {name for name in sources if first[name] != second[name]} == {"b"}


def test_a_damaged_image_is_said_and_how_to_mend_it(images: LocalImages, store: Cache, tmp_path: Path) -> None:
    digest = put(store, Cmd=["x"])
    store.remember(Kind.NAME, "accounts:1", digest)
    (store.root / "blobs" / "sha256" / digest.removeprefix("sha256:")).write_bytes(b"{")
    (problem,) = problems(images, tmp_path, a=ImageSource("accounts:1"))
    assert "damaged" in problem.what
    assert str(store.layout(digest)) in problem.fix


def test_an_image_whose_folder_is_gone_is_not_known(store: Cache) -> None:
    digest = put(store, Cmd=["x"])
    store.remember(Kind.NAME, "accounts:1", digest)
    (store.layout(digest) / "index.json").unlink()
    assert store.recall(Kind.NAME, "accounts:1") is None


def test_a_full_disk_is_said_before_anything_begins(
    images: LocalImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LEAST_FREE_BYTES", 2**62)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Containerfile").write_text("FROM scratch\nCOPY x /\n")
    monkeypatch.setattr("anden.engines.local.images.process.require", lambda *_: None)
    (problem,) = problems(images, tmp_path, a=ImageSource(build="app"))
    assert "MiB are free on the disk" in problem.what
    assert "ANDEN_STATE" in problem.fix


def test_old_work_is_swept_and_new_work_is_not(store: Cache) -> None:
    old, new = store.root / "work" / "old", store.root / "work" / "new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (1, 1))
    store.sweep()
    assert not old.exists()
    assert new.exists()


def test_the_distributions_own_package_sources() -> None:
    files = {
        "a.sources": "Types: deb\nURIs: http://mirror\nSuites: bookworm bookworm-updates\nComponents: main\n",
        "b.list": "deb http://mirror cloud-sdk-bookworm main\n",
        "c.list": "deb http://mirror bookworm stable\n",
        "d.list": "# deb http://mirror bookworm main\n",
        "e.list": "deb http://mirror bookworm-security main contrib\n",
    }
    assert foundation.sources(files, "bookworm") == ("a.sources", "e.list")
