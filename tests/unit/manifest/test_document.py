"""Text that is no manifest yet."""

import pytest
import yaml
from tests.unit.manifest.manifests import INVALID, VALID, read, said

from anden.manifest import document
from anden.manifest.faults import Faults
from anden.model.problem import Problem, Problems

SMALL = "anden: 1\nservices:\n  web: { image: web:1.0.0, port: 8080 }\n"


def only(text: str) -> Problem:
    with pytest.raises(Problems) as raised:
        read(text)
    (problem,) = raised.value.problems
    return problem


@pytest.mark.parametrize(
    ("character", "name"), [("\x00", "U+0000"), ("\x1b", "U+001B"), ("\ud800", "U+D800"), ("\uffff", "U+FFFF")]
)
def test_characters_that_are_no_text(character: str, name: str) -> None:
    problem = only(SMALL + f"# {character}\n")
    assert problem.where == "anden.yaml:4"
    assert name in problem.what


def test_byte_order_marks_and_other_line_ends_are_welcome() -> None:
    expected = read(SMALL).topologies
    assert read("\ufeff" + SMALL).topologies == expected
    assert read(SMALL.replace("\n", "\r\n")).topologies == expected
    assert "services/web/port (anden.yaml:3)" in said(SMALL.replace("8080", "x").replace("\n", "\r\n"))[0]


def test_text_in_any_language() -> None:
    text = SMALL.replace("port: 8080", "port: 8080, env: { GREETING: ¡Buen día 你好 🚉! }")
    service = read(text).topologies["dev"].service("web")
    assert service is not None
    assert service.env == {"GREETING": "¡Buen día 你好 🚉!"}


def test_too_long() -> None:
    assert "characters" in only("#" * (document.LONGEST_TEXT + 1)).what


def test_too_deep() -> None:
    for opening in ("[", "{a: ", "- "):
        assert "levels deep" in only("anden: 1\nx: \n  " + opening * 10_000).what or opening == "- "


def test_a_billion_laughs() -> None:
    lines = ["anden: 1", "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    for level in range(1, 12):
        before = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{before}]")
    # Unbounded, it would not end but take the machine with it.
    assert "aliases count" in only("\n".join(lines)).why


def test_wide_text_is_bounded() -> None:
    text = "anden: 1\nservices:\n" + "".join(f"  S{number}: [\n  ]\n" for number in range(5_000))
    with pytest.raises(Problems) as raised:
        read(text)
    assert len(raised.value.problems) <= 501


def test_many_unknown_names_are_bounded() -> None:
    names = ", ".join(f"nobody{number}" for number in range(900))
    services = "".join(f"  service{number}: {{ image: s:1, port: 1, reaches: [{names}] }}\n" for number in range(40))
    with pytest.raises(Problems) as raised:
        read("anden: 1\nservices:\n" + services)
    assert "more problems are left out" in raised.value.problems[-1].what


def test_merge_keys_add_what_is_not_said() -> None:
    text = """
anden: 1
services:
  web: &web { image: web:1.0.0, port: 8080, instances: 2, env: { A: "1" } }
  api: { <<: *web, image: api:1.0.0, env: { B: "2" } }
"""
    web, api = (read(text).topologies["dev"].service(name) for name in ("web", "api"))
    assert web is not None
    assert api is not None
    assert (api.port, api.instances, str(api.source)) == (8080, web.instances, "api:1.0.0")
    assert api.env == {"B": "2"}, "the mapping itself is said, so that nothing of the other is added"


def test_aliases_have_places_of_their_own() -> None:
    text = "anden: 1\nservices:\n  web: { image: w:1, port: &p 8080 }\n  api:\n    image: a:1\n    port: *p\n"
    assert read(text).marks["dev"]["services/api/port"].line == 6


def test_a_tag_is_never_obeyed() -> None:
    assert any("means nothing here" in line for line in said(SMALL + "x: !!python/object/apply:os.abort []\n"))


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_without_the_c_parser_it_is_the_same(path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    text = path.read_text()  # type: ignore[attr-defined]

    def parsed() -> object:
        try:
            return document.parse(text, Faults("anden.yaml"))
        except Problems as found:
            return type(found)

    fast = parsed()
    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    assert parsed() == fast
