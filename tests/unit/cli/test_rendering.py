"""`anden render`: what it writes, what it keeps, and what it refuses to touch."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import MANIFEST, Run
from tests.unit.cli.kept import same

from anden.cli import folder as rendered
from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.plan import Action
from anden.model.problem import Problems

ON_AWS = ("--on", "aws", "-e", "test", "-o", "out")
KEY = EnvironmentKey("shop", "test", EngineName.AWS)


@pytest.fixture
def there(shop: Path) -> Path:
    """The folder to write into, of a manifest that says a region."""
    (shop / "anden.yaml").write_text(MANIFEST.replace("client: shop", "client: shop\nregion: us-east-1"))
    return shop / "out"


def order(folder: Path) -> list[str]:
    return [each["file"] for each in json.loads((folder / "order.json").read_text())["stacks"]]


def test_templates_their_order_and_the_blueprint(run: Run, there: Path) -> None:
    shown = run("render", *ON_AWS)
    assert shown.code == 0, shown.err
    names = {path.name for path in there.iterdir()}
    assert {*order(there), "order.json", "README.md", "blueprint.json", "rendered.json"} == names
    for name in order(there):
        assert json.loads((there / name).read_text())["Resources"]
        assert f"`{name}`" in (there / "README.md").read_text()
    assert (
        codec.from_json(Blueprint, (there / "blueprint.json").read_text()).digest in (there / "README.md").read_text()
    )
    assert f"+ out/{order(there)[0]}" in shown.out
    assert shown.out.endswith("written or removed, 0 as before; nothing was applied\n")


def test_a_second_time_nothing_changes_and_a_service_more_moves_nothing(run: Run, there: Path) -> None:
    run("render", *ON_AWS)
    before = {path.name: path.read_bytes() for path in there.iterdir()}
    assert "0 files written" in run("render", *ON_AWS).out
    assert {path.name: path.read_bytes() for path in there.iterdir()} == before
    manifest = there.parent / "anden.yaml"
    manifest.write_text(manifest.read_text() + "  aaa: { image: aaa:1.0.0, port: 8080, instances: 2..4 }\n")
    assert run("render", *ON_AWS).code == 0
    was, now = (
        codec.from_json(Blueprint, text) for text in (before["blueprint.json"], (there / "blueprint.json").read_bytes())
    )
    assert now.parent == was.digest
    for name in ("api", "web"):
        assert now.placement(name).number == was.placement(name).number
        assert now.placement(name).address == was.placement(name).address


def test_what_is_no_longer_rendered_goes(run: Run, there: Path) -> None:
    assert run("render", "--on", "local", "-e", "test", "-o", "out").code == 0
    assert (there / "instances" / "api-1" / "config.json").exists()
    assert (there / "firewall.nft").exists()
    manifest = there.parent / "anden.yaml"
    manifest.write_text(manifest.read_text().replace("reaches: [api, exchange]", "reaches: [exchange]"))
    text = "".join(line for line in manifest.read_text().splitlines(keepends=True) if not line.startswith("  api:"))
    manifest.write_text(text.replace(", api: { instances: 2..4 }", ""))
    shown = run("render", "--on", "local", "-e", "test", "-o", "out")
    assert shown.code == 0, shown.err
    assert "- out/instances/api-1/config.json" in shown.out
    assert not (there / "instances" / "api-1").exists()
    assert (there / "instances" / "web-1" / "config.json").exists()


def test_json_says_what_changed_and_what_is_made_up(run: Run, there: Path) -> None:
    report = run("render", *ON_AWS, "--json").json
    assert {each["change"] for each in report["files"]} == {"+"}
    assert report["presumed"] == ["api", "web"]
    assert report["blueprint"].startswith("sha256:")
    assert {each["engine"] for each in report["caveats"]} == {"aws"}
    assert {each["change"] for each in run("render", *ON_AWS, "--json").json["files"]} == {"="}


def test_an_image_with_its_digest_is_not_made_up(run: Run, there: Path) -> None:
    digest = "sha256:" + "ab" * 32
    manifest = there.parent / "anden.yaml"
    manifest.write_text(manifest.read_text().replace("image: api:1.0.0", f"image: registry.example/api@{digest}"))
    assert run("render", *ON_AWS, "--json").json["presumed"] == ["web"]
    images = json.loads((there / "order.json").read_text())["images"]
    assert images["api"]["digest"] == digest
    assert images["api"]["repository"] == "shop/test/api"


def test_what_is_refused_and_why(run: Run, shop: Path) -> None:
    (shop / "full").mkdir()
    (shop / "full" / "notes.txt").write_text("mine")
    said = []
    for words in (
        ("--on", "aws", "-e", "test", "-o", "out"),
        ("--on", "local", "-e", "test", "-o", "full"),
        ("--on", "local", "-e", "test", "-o", "anden.yaml"),
        ("--on", "simulated", "-e", "test", "-o", "out"),
        ("--on", "local", "-e", "tset", "-o", "out"),
    ):
        shown = run("render", *words)
        assert shown.code == 1
        assert not shown.out
        said += [f"$ anden render {' '.join(words)}", *shown.err.splitlines()]
    assert (shop / "full" / "notes.txt").read_text() == "mine"
    assert [path.name for path in (shop / "full").iterdir()] == ["notes.txt"]
    assert not (shop / "out").exists()
    same("render-refused.txt", said)
    assert run("render", "--on", "aws").code == 2


def test_another_environment_s_folder_and_a_damaged_list(run: Run, there: Path) -> None:
    run("render", *ON_AWS)
    before = {path.name: path.read_bytes() for path in there.iterdir()}
    other = run("render", "--on", "aws", "-e", "production", "-o", "out")
    assert other.code == 1
    assert "holds what was rendered from" in other.err
    for broken in ("{", "[]", '{"of": 1}', '{"of": "x", "files": {"../anden.yaml": "sha256:0"}}'):
        (there / "rendered.json").write_text(broken)
        assert "is not what `anden render` wrote" in run("render", *ON_AWS).err
    assert (there.parent / "anden.yaml").exists()
    (there / "rendered.json").write_bytes(before["rendered.json"])
    assert run("render", *ON_AWS).code == 0


def test_what_was_changed_by_hand_is_overwritten_with_yes_only(run: Run, there: Path) -> None:
    run("render", *ON_AWS)
    first = there / order(there)[0]
    was = first.read_text()
    first.write_text(was.replace("AWSTemplateFormatVersion", "awsTemplateFormatVersion"))
    shown = run("render", *ON_AWS)
    assert shown.code == 1
    assert f"out/{first.name}" in shown.err
    assert "--yes overwrites it" in shown.err
    assert first.read_text() != was
    assert run("render", *ON_AWS, "--yes").code == 0
    assert first.read_text() == was
    first.unlink()
    assert run("render", *ON_AWS).code == 0
    assert first.read_text() == was


def test_hidden_entries_are_nobody_s_business(run: Run, there: Path) -> None:
    (there / ".git").mkdir(parents=True)
    (there / ".git" / "HEAD").write_text("x")
    assert run("render", *ON_AWS).code == 0


def test_a_folder_left_half_way_is_still_ours(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    rendered.write(folder, KEY, rendered.Kept({}), {"a.json": "1", "b.json": "1"})
    before = rendered.kept(folder, KEY)
    (folder / "b.json").unlink()
    (folder / "b.json").mkdir()
    new = {"a.json": "2", "b.json": "2", "c/d.json": "2"}
    with pytest.raises(Problems, match="cannot be written"):
        rendered.write(folder, KEY, before, new)
    assert (folder / "a.json").read_text() == "2"
    (folder / "b.json").rmdir()
    again = rendered.kept(folder, KEY)
    assert rendered.edited(folder, again, new) == ()
    rendered.write(folder, KEY, again, new)
    assert rendered.changes(rendered.kept(folder, KEY), new) == dict.fromkeys(new)
    assert rendered.changes(again, {"a.json": "3"}) == {
        "a.json": Action.UPDATE, "b.json": Action.DELETE, "c/d.json": Action.DELETE,
    }  # fmt: skip
