"""Images from this machine's cache to registries: a real one with a login, and the emulator's ECR with its verdicts."""

import base64
import gzip
import hashlib
import io
import json
import os
import platform
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.emulator import registry
from tests.emulator.emulator import REGION, Emulator
from tests.emulator.registry import Running
from tests.emulator.test_execute import KEY, POLL_S, run
from tests.emulator.test_observe import RESOURCES, WANTED

from anden.assess.images import assess
from anden.engines.aws import images
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.images import Images
from anden.engines.aws.session import Session
from anden.engines.local.images import LocalImages
from anden.engines.local.images.cache import Cache
from anden.engines.simulated.clock import VirtualClock
from anden.model.ids import Digest
from anden.model.image import ImageWanted, Scan, Verdict
from anden.model.plan import Action, ApplyStack, CopyImage, Step
from anden.model.ports import Registry
from anden.model.problem import Problems

REPOSITORY = "banco/dev/web"
BLUEPRINT = Digest("sha256:" + "b" * 64)
USER, PASSWORD = "AWS", "a-login-of-one-hour"
HASHED = "AWS:$2b$04$GXGCfUZ6frSaGoDPx0OzD.0sj7a52Zmllft/1vvYjhGrzuLz0H.Hu\n"
"""That login as the registry keeps it."""
NOWHERE = Digest("sha256:" + "e" * 64)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="skopeo runs in namespaces that only root makes")


def blob(layout: Path, content: bytes, media: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    (layout / "blobs" / "sha256" / digest).write_bytes(content)
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content)}


def made(cache: Cache, text: str) -> Digest:
    """A small image of one file in the cache."""
    cache.make()
    with cache.work() as work:
        layout = work / "layout"
        cache.prepare_layout(layout, shared=False)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            member = tarfile.TarInfo("file")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        kind = "application/vnd.oci.image"
        layer = blob(layout, gzip.compress(packed.getvalue(), mtime=0), f"{kind}.layer.v1.tar+gzip")
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(packed.getvalue()).hexdigest()}"]}
        config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs}
        its = blob(layout, json.dumps(config).encode(), f"{kind}.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": f"{kind}.manifest.v1+json", "config": its, "layers": [layer]}
        entry = blob(layout, json.dumps(manifest).encode(), f"{kind}.manifest.v1+json")
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        return cache.adopt(layout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache's folder with what a path may have in it."""
    return tmp_path / "with space:colon"


@pytest.fixture
def carrier(folder: Path) -> LocalImages:
    return LocalImages(folder, VirtualClock(time.time()))


@pytest.fixture
def digest(folder: Path) -> Digest:
    return made(Cache(folder, VirtualClock(time.time())), "one")


@pytest.fixture
def guarded() -> Iterator[Running]:
    """A registry that asks for the login."""
    if registry.found() is None:
        pytest.skip("docker-registry is not installed: ./test says how")
    with registry.running(HASHED) as it:
        yield it


def login(at: Running, password: str = PASSWORD) -> Registry:
    return Registry(at.url, USER, password)


def left_behind(folder: Path) -> list[Path]:
    """Whatever holds the login."""
    words = (PASSWORD.encode(), base64.b64encode(f"{USER}:{PASSWORD}".encode()))
    files = [each for each in folder.rglob("*") if each.is_file()]
    return [each for each in files if any(word in each.read_bytes() for word in words)]


def test_an_image_keeps_its_digest_in_a_real_registry(
    carrier: LocalImages, digest: Digest, guarded: Running, folder: Path
) -> None:
    stop = threading.Event()
    carrier.carry(digest, REPOSITORY, login(guarded), stop)
    assert guarded.digests(REPOSITORY) == {digest}
    carrier.carry(digest, REPOSITORY, login(guarded), stop)  # again is no harm
    assert guarded.digests(REPOSITORY) == {digest}
    assert list((folder / "work").iterdir()) == []
    assert left_behind(folder) == []


def test_a_wrong_login_is_refused_and_said_without_it(carrier: LocalImages, digest: Digest, guarded: Running) -> None:
    with pytest.raises(Problems) as refused:
        carrier.carry(digest, REPOSITORY, login(guarded, "another-word"), threading.Event())
    (problem,) = refused.value.problems
    assert "cannot be copied" in problem.what
    assert "Use a role that may push" in problem.fix
    assert "another-word" not in str(problem)
    assert guarded.digests(REPOSITORY) == set()


def test_a_registry_that_is_not_there(carrier: LocalImages, digest: Digest, guarded: Running) -> None:
    gone = Registry("http://127.0.0.1:1", USER, PASSWORD)
    with pytest.raises(Problems) as refused:
        carrier.carry(digest, REPOSITORY, gone, threading.Event())
    assert "Look at the network" in refused.value.problems[0].fix
    stop = threading.Event()
    stop.set()
    with pytest.raises(Problems, match="was cut off"):
        carrier.carry(digest, REPOSITORY, login(guarded), stop)
    with pytest.raises(Problems, match="neither in the account's registry nor"):
        carrier.carry(NOWHERE, REPOSITORY, login(guarded), threading.Event())


# Over the emulator's ECR.


def repository(aws: Emulator, scan: dict[str, Any] | None = None) -> None:
    words = base64.b64encode(json.dumps(scan).encode()).decode()
    tags = [{"Key": "emulator:scan", "Value": words}] if scan else []
    aws.client("ecr").create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE", tags=tags)


def found(status: str, **counts: int) -> dict[str, Any]:
    return {"imageScanStatus": {"status": status, "description": "words of AWS."},
            "imageScanFindings": {"findingSeverityCounts": counts}}  # fmt: skip


def copying(digest: Digest) -> Step:
    wanted = ImageWanted("web", REPOSITORY, digest, "web:1", REGION, "data")
    return Step(Action.CREATE, "image web", "is not there", CopyImage(wanted, BLUEPRINT))


def test_a_copy_is_told_with_its_verdict_and_not_made_twice(
    aws: Emulator, carrier: LocalImages, digest: Digest
) -> None:
    repository(aws, found("COMPLETE", CRITICAL=2, LOW=1))
    assert run(copying(digest), carrier=carrier) == (
        [None],
        [
            "… image web web:1 is copied to banco/dev/web",
            f"✓ image web {digest} arrived",
            "! image web scan: 2 critical, 1 low",
        ],
    )
    listed = aws.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]
    assert [each["imageDigest"] for each in listed] == [digest]
    again = [None], [" image web web:1 is in the account's registry already"]
    assert run(copying(digest), carrier=carrier) == again
    assert run(copying(digest)) == again  # from a machine that never had it


def test_an_image_that_is_nowhere_is_a_problem(aws: Emulator, carrier: LocalImages) -> None:
    repository(aws)
    for who in (carrier, None):
        (problem,), _ = run(copying(NOWHERE), carrier=who)
        assert problem is not None
        assert problem.where == "image of web"
        assert "neither in the account's registry nor in this machine's image cache" in problem.what


def test_a_copy_needs_its_repository(aws: Emulator, carrier: LocalImages, digest: Digest) -> None:
    (problem,), _ = run(copying(digest), carrier=carrier)
    assert problem is not None
    assert "cannot be copied" in problem.what
    assert problem.fix.startswith("The stack `data` makes the repository")


@pytest.mark.parametrize(
    ("scan", "verdict"),
    [
        (None, Scan(Verdict.PENDING)),
        (found("IN_PROGRESS"), Scan(Verdict.PENDING)),
        (found("COMPLETE"), Scan(Verdict.CLEAN)),
        (found("ACTIVE", HIGH=3, LOW=0), Scan(Verdict.FOUND, {"HIGH": 3})),
        (
            found("UNSUPPORTED_IMAGE"),
            Scan(Verdict.NONE, why="the scanner does not know its operating system: words of AWS"),
        ),
        (found("NEWS"), Scan(Verdict.NONE, why="NEWS: words of AWS")),
    ],
)
def test_each_status_of_a_scan_is_a_verdict(
    aws: Emulator, carrier: LocalImages, digest: Digest, scan: dict[str, Any] | None, verdict: Scan
) -> None:
    repository(aws, scan)
    carrier.carry(digest, REPOSITORY, images.login(Session(), REGION), threading.Event())
    assert images.scan(Session(), REGION, REPOSITORY, digest) == verdict


def test_no_copy_waits_for_ever_for_a_verdict(aws: Emulator, carrier: LocalImages, digest: Digest) -> None:
    repository(aws)
    said: list[str] = []
    wanted = ImageWanted("web", REPOSITORY, digest, "web:1", REGION, "data")
    images.copy(Session(), wanted, carrier, lambda text, sign: said.append(text), threading.Event(), scan_limit_s=0.0)
    assert said[-1] == "scan: no verdict yet; `anden status` shows it when there is one"


def test_what_runs_is_seen_with_its_verdict(aws: Emulator, carrier: LocalImages, digest: Digest) -> None:
    repository(aws, found("COMPLETE", HIGH=1))
    idle = made(Cache(carrier._images, VirtualClock(time.time())), "two")
    resources = json.loads(json.dumps(RESOURCES))
    resources["Task"]["Properties"]["ContainerDefinitions"][0]["Image"] = f"r.example/{REPOSITORY}@{digest}"
    template = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    edge = replace(WANTED, template=template)
    engine = AwsEngine(VirtualClock(7.0), POLL_S, carrier)
    steps = [copying(digest), Step(Action.CREATE, "edge", "", ApplyStack(edge, BLUEPRINT))]
    told = [each for each in engine.execute(KEY, steps, "") if getattr(each, "problem", None)]
    assert told == []
    seen = engine.observe(KEY)
    assert [(each.repository, each.digest, each.scan) for each in seen.images] == [
        (REPOSITORY, digest, Scan(Verdict.FOUND, {"HIGH": 1}))
    ]
    (finding,) = assess(seen)
    assert finding.text == "the registry's scan found 1 high"
    assert f"--image-id imageDigest={digest}" in finding.fix
    list(engine.execute(KEY, [copying(idle)], ""))
    assert {each.digest: each.scan is None for each in engine.observe(KEY).images} == {digest: False, idle: True}


def test_a_listing_is_remembered_for_a_while(aws: Emulator, carrier: LocalImages, digest: Digest) -> None:
    repository(aws)
    clock = VirtualClock(7.0)
    shelves = Images(clock.monotonic)
    assert shelves.seen(Session(), KEY, REGION, set()) == ()
    carrier.carry(digest, REPOSITORY, images.login(Session(), REGION), threading.Event())
    assert shelves.seen(Session(), KEY, REGION, set()) == ()
    clock.sleep(images.LOOK_S + 1)
    assert [each.digest for each in shelves.seen(Session(), KEY, REGION, set())] == [digest]
