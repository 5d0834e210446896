"""Images for real: the base from packages, builds, imports, unpacking; and what goes wrong with them."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.conftest import ROOT, processes

from anden.engines.local import idmap
from anden.engines.local.images import LocalImages, foundation
from anden.machine import SystemClock
from anden.model.event import Event
from anden.model.ids import Digest
from anden.model.image import Image
from anden.model.problem import Problem, Problems
from anden.model.topology import ImageSource

pytestmark = pytest.mark.live

OURS = "ARG BASE\nFROM ${BASE}\nCOPY app.py /app.py\n"


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """A cache of this module's own, in a folder with a space in its name."""
    folder = Path(tempfile.mkdtemp(prefix="anden images-", dir="/var/tmp"))
    try:
        yield folder / "images"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def images(cache: Path) -> LocalImages:
    return LocalImages(cache, SystemClock())


def app(folder: Path, text: str, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Containerfile").write_text(text)
    (folder / "app.py").write_text(f"print({str(folder)!r})\n")
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def resolve(images: LocalImages, folder: Path, sources: dict[str, ImageSource]) -> tuple[dict[str, Image], list[Event]]:
    got = list(images.resolve(folder, sources))
    events = [each for each in got if isinstance(each, Event)]
    return dict(each for each in got if not isinstance(each, Event)), events


def problems(images: LocalImages, folder: Path, **sources: ImageSource) -> tuple[Problem, ...]:
    with pytest.raises(Problems) as found:
        list(images.resolve(folder, sources))
    return found.value.problems


def inside(tree: Path, *argv: str) -> str:
    done = subprocess.run(["chroot", str(tree), *argv], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_builds_share_one_base_and_come_from_the_cache_the_second_time(images: LocalImages, tmp_path: Path) -> None:
    for name in ("a", "b"):
        app(tmp_path / name, OURS + 'RUN mkdir /data && echo hello > /data/x\nUSER 10001\nCMD ["python3", "/app.py"]\n')
    sources = {"a": ImageSource(build="a"), "b": ImageSource(build="b"), "again": ImageSource(build="a")}
    found, events = resolve(images, tmp_path, sources)
    assert [each.subject for each in events].count("base image") in {0, 2}
    assert {each.subject for each in events if each.sign == "✓"} >= {"a, again", "b"}
    assert found["a"].digest == found["again"].digest != found["b"].digest
    assert found["a"].command == ("python3", "/app.py")
    assert found["a"].user == "10001"

    assert resolve(images, tmp_path, sources) == (found, []), "no event: nothing was built again"
    assert images.presume(tmp_path, sources) == found

    tree = images.rootfs(found["a"].digest)
    assert inside(tree, "/usr/bin/python3", "-c", "import ssl, json, http.server; print('runs')") == "runs"
    assert inside(tree, "/bin/sh", "-c", "cat /data/x; ls / | grep -c app.py") == "hello\n1"
    assert images.rootfs(found["a"].digest) == tree


def test_an_unpacked_image_belongs_to_the_instances_ids_and_has_nothing_special(
    images: LocalImages, tmp_path: Path
) -> None:
    app(tmp_path / "a", OURS + "RUN touch /owned && chown 10001:10001 /owned && chmod u+s /bin/busybox\n")
    found, _ = resolve(images, tmp_path, {"a": ImageSource(build="a")})
    tree = images.rootfs(found["a"].digest)
    assert (tree / "owned").stat().st_uid == idmap.UID_BASE + 10001
    for path in [tree, *tree.rglob("*")]:
        seen = path.lstat()
        assert idmap.UID_BASE <= seen.st_uid < idmap.UID_BASE + idmap.UID_COUNT, path
        assert idmap.UID_BASE <= seen.st_gid < idmap.UID_BASE + idmap.UID_COUNT, path
        assert not stat.S_ISCHR(seen.st_mode), path
        assert not stat.S_ISBLK(seen.st_mode), path
    passwd = (tree / "etc" / "passwd").read_text()
    assert "root:x:0:0:" in passwd
    resolver = tree / "etc" / "resolv.conf"
    assert not resolver.exists() or not resolver.read_text(), "the builder's own resolver is in the image"
    assert list(tree.glob("usr/lib/python3.*/__pycache__/json*")) or list(
        tree.glob("usr/lib/python3.*/json/__pycache__/*.pyc")
    )


def test_from_scratch(images: LocalImages, tmp_path: Path) -> None:
    app(tmp_path / "a", 'FROM scratch\nCOPY app.py /\nCMD ["/app.py"]\n')
    found, events = resolve(images, tmp_path, {"a": ImageSource(build="a")})
    assert [each.subject for each in events] == ["a"]
    assert [path.name for path in images.rootfs(found["a"].digest).iterdir()] == ["app.py"]


def test_the_same_context_gives_the_same_digest(images: LocalImages, tmp_path: Path) -> None:
    first = resolve(images, tmp_path, {"a": ImageSource(build=str(app(tmp_path / "a", OURS)))})[0]["a"]
    copy = shutil.copytree(tmp_path / "a", tmp_path / "copy")
    os.utime(copy / "app.py", (1, 1))
    assert resolve(images, tmp_path, {"a": ImageSource(build="copy")})[0]["a"].digest == first.digest


def test_a_build_that_fails_says_its_last_lines_and_the_others_still_count(images: LocalImages, tmp_path: Path) -> None:
    app(tmp_path / "bad", OURS + "RUN echo the vault is shut && false\n")
    app(tmp_path / "worse", OURS + "COPY nothing.py /\n")
    app(tmp_path / "good", OURS)
    found = problems(
        images, tmp_path, bad=ImageSource(build="bad"), good=ImageSource(build="good"), worse=ImageSource(build="worse")
    )
    assert [problem.where for problem in found] == ["services/bad/build", "services/worse/build"]
    assert "the vault is shut" in found[0].why
    assert "nothing.py" in found[1].why
    assert resolve(images, tmp_path, {"good": ImageSource(build="good")})[1] == []
    assert left(images) == []


def left(images: LocalImages) -> list[str]:
    """What builds left: processes, mounts, folders of work."""
    cache = str(images._images)
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if cache.replace(" ", "\\040") in line]
    return [*processes(cache).values(), *mounts, *map(str, (images._images / "work").iterdir())]


def test_a_known_build_may_be_deployed_by_its_name(images: LocalImages, tmp_path: Path) -> None:
    app(tmp_path / "a", OURS)
    built = resolve(images, tmp_path, {"accounts": ImageSource(build="a")})[0]["accounts"]
    name = f"accounts:{built.version}"
    assert resolve(images, tmp_path, {"x": ImageSource(image=name)})[0]["x"].digest == built.digest


def test_archives_are_imported_and_their_names_known(images: LocalImages, cache: Path, tmp_path: Path) -> None:
    app(tmp_path / "a", OURS + 'CMD ["python3"]\n')
    built = resolve(images, tmp_path, {"a": ImageSource(build="a")})[0]["a"]
    layout = cache / "layouts" / built.digest.removeprefix("sha256:")
    copy = ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}:image"]
    subprocess.run([*copy, f"docker-archive:{tmp_path}/a.tar:bank/vault:7"], check=True)
    subprocess.run([*copy, f"oci-archive:{tmp_path}/b.tar:x"], check=True)
    subprocess.run([*copy, f"oci:{tmp_path}/c:x"], check=True)
    sources = {
        "a": ImageSource(image="docker-archive:a.tar"), "b": ImageSource(image="oci-archive:b.tar"),
        "c": ImageSource(image="oci:c:x"),
    }  # fmt: skip
    found, events = resolve(images, tmp_path, sources)
    assert {each.text for each in events} >= {"imported docker-archive:a.tar"}
    assert all(image.command == ("python3",) for image in found.values())
    assert resolve(images, tmp_path, sources) == (found, [])
    named = resolve(images, tmp_path, {"x": ImageSource(image="bank/vault:7")})[0]["x"]
    assert named.digest == found["a"].digest
    assert named.version == "7"
    for image in found.values():
        assert (images.rootfs(image.digest) / "app.py").is_file()


def test_an_image_for_another_architecture(images: LocalImages, cache: Path, tmp_path: Path) -> None:
    app(tmp_path / "a", OURS)
    built = resolve(images, tmp_path, {"a": ImageSource(build="a")})[0]["a"]
    layout = cache / "layouts" / built.digest.removeprefix("sha256:")
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}:image", f"oci:{tmp_path}/c:x"], check=True
    )
    subprocess.run(["umoci", "config", "--image", "c:x", "--architecture", "mips64"], cwd=tmp_path, check=True)
    (problem,) = problems(images, tmp_path, a=ImageSource(image="oci:c:x"))
    assert problem.what == f"oci:c:x is built for mips64, this machine is {foundation.architecture()}"


def test_a_file_that_is_no_image(images: LocalImages, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no")
    missing, broken = problems(
        images, tmp_path, a=ImageSource(image="oci-archive:none.tar"), b=ImageSource(image="docker-archive:x.tar")
    )
    assert "none.tar is not there" in missing.what
    assert "x.tar cannot be imported" in broken.what


def test_an_unknown_digest_cannot_be_unpacked(images: LocalImages) -> None:
    with pytest.raises(Problems, match="is not in the image cache"):
        images.rootfs(Digest("sha256:" + "0" * 64))


def test_many_at_once_unpack_once(images: LocalImages, tmp_path: Path) -> None:
    app(tmp_path / "a", OURS + "ENV once=1\n")
    digest = resolve(images, tmp_path, {"a": ImageSource(build="a")})[0]["a"].digest
    found: list[tuple[Path, int]] = []

    def unpack() -> None:
        tree = LocalImages(images._images, SystemClock()).rootfs(digest)
        found.append((tree, tree.stat().st_ino))

    threads = [threading.Thread(target=unpack) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(found) == 6
    assert len(set(found)) == 1
    assert left(images) == []


SLOW = OURS + "RUN sleep 30.125\n"


def test_who_leaves_ends_what_was_begun(images: LocalImages, tmp_path: Path) -> None:
    app(tmp_path / "a", SLOW)
    app(tmp_path / "b", OURS + "ENV quick=1\n")
    going = images.resolve(tmp_path, {"a": ImageSource(build="a"), "b": ImageSource(build="b")})
    next(going)  # b is built, a still sleeps
    began = time.monotonic()
    assert hasattr(going, "close")
    going.close()
    assert time.monotonic() - began < 5
    assert left(images) == []
    assert processes("sleep 30.125") == {}


def running(folder: Path, images: LocalImages) -> dict[int, str]:
    """Processes of a build, its `RUN` among them."""
    return {**processes(str(images._images)), **processes(str(folder)), **processes("sleep 30.125")}


def test_a_killed_builder_leaves_nothing_that_hinders(images: LocalImages, tmp_path: Path) -> None:
    app(tmp_path / "a", SLOW)
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from anden.engines.local.images import LocalImages\nfrom anden.model.topology import ImageSource\n"
        f"import tests.live.test_images as t\n"
        f"list(LocalImages(Path({str(images._images)!r}), t.SystemClock()).resolve(Path({str(tmp_path)!r}), "
        "{'a': ImageSource(build='a')}))\n"
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    )
    deadline = time.monotonic() + 20
    while not processes("sleep 30.125"):
        assert time.monotonic() < deadline
        assert builder.poll() is None
        time.sleep(0.05)
    os.kill(builder.pid, signal.SIGKILL)
    builder.wait()
    deadline = time.monotonic() + 10
    while running(tmp_path, images) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(tmp_path, images) == {}
    (tmp_path / "a" / "Containerfile").write_text(OURS + "RUN sleep 0.1\n")
    assert resolve(images, tmp_path, {"a": ImageSource(build="a")})[0]["a"].digest


FULL = """
import json, sys
from pathlib import Path
from anden.engines.local.images import LocalImages, cache
from anden.model.problem import Problems
from anden.model.topology import ImageSource
import tests.live.test_images as t
def said():
    try:
        images = LocalImages(Path(sys.argv[1], "images"), t.SystemClock())
        list(images.resolve(Path(sys.argv[2]), {"a": ImageSource(build="a")}))
    except Problems as found:
        return [f"{p.what}; {p.why}; {p.fix}" for p in found.problems]
early = said()
cache.LEAST_FREE_BYTES = 0
print(json.dumps([early, said()]))
"""


def test_a_full_disk(tmp_path: Path) -> None:
    app(tmp_path / "a", OURS)
    (tmp_path / "disk").mkdir()
    command = 'mount -t tmpfs -o size=20m none "$1" && exec "$2" -c "$3" "$1" "$4"'
    argv = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        command,
        "sh",
        str(tmp_path / "disk"),
        sys.executable,
        FULL,
        str(tmp_path),
    ]
    surroundings = {**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    done = subprocess.run(argv, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True, timeout=120)
    early, late = json.loads(done.stdout)
    assert "20 MiB are free on the disk" in early[0]
    assert "ANDEN_STATE" in early[0]
    assert "no space is left on the disk" in late[0]
