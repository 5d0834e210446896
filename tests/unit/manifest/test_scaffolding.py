"""`anden init`: what it writes is true, and reads."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.manifest.manifests import read

from anden.manifest import Found, scaffold

FOLDERS = st.text(max_size=30) | st.sampled_from(
    [".", "api", "web", "a/b", "gateway", "2", "My App", "x: y", "é", "#", "api-1"]
)
TEXTS = st.text(max_size=40) | st.sampled_from(["EXPOSE 80", "EXPOSE 99999"])


def test_nothing_found() -> None:
    text = scaffold(Found("My Shop"))
    manifest = read(text)
    assert manifest.client == "my-shop"
    assert [str(each.name) for each in manifest.topologies["dev"].services] == ["web"]
    assert "No Containerfile" in text


def test_one_service_in_the_folder_itself() -> None:
    text = scaffold(Found("shop", {"Containerfile": "FROM scratch\nEXPOSE 3000\n"}))
    (web,) = read(text).topologies["dev"].services
    assert (str(web.source), web.port, web.route is not None) == ("build: .", 3000, True)


def test_several_services() -> None:
    files = {
        "web/Dockerfile": "FROM node AS build\nEXPOSE 9999\nFROM nginx\nexpose 8081/tcp 8082\n",
        "api/Containerfile": "FROM x\nEXPOSE 53/udp\nEXPOSE 5000\n",
        "jobs/Containerfile": "FROM x\nCMD run\n",
        "jobs/Dockerfile": "FROM x\nEXPOSE 1\n",
    }
    text = scaffold(Found("shop", files))
    services = {str(each.name): each for each in read(text).topologies["dev"].services}
    assert {name: each.port for name, each in services.items()} == {"api": 5000, "jobs": 8080, "web": 8081}
    assert [name for name, each in services.items() if each.route] == ["web"]
    assert text.count("a guess") == 1
    assert not any(each.reaches for each in services.values()), "who calls whom is nothing that a folder says"


def test_names_that_collide_or_are_reserved() -> None:
    files = dict.fromkeys(("a/api/Containerfile", "b/api/Containerfile", "gateway/Containerfile"), "EXPOSE 80")
    services = read(scaffold(Found("shop", files))).topologies["dev"].services
    assert len({each.name for each in services}) == 3


@settings(max_examples=200, deadline=None)
@given(FOLDERS, st.dictionaries(FOLDERS, TEXTS, max_size=6))
def test_whatever_is_found_it_reads(folder: str, builds: dict[str, str]) -> None:
    found = Found(folder, {f"{path}/Containerfile": text for path, text in builds.items()})
    read(scaffold(found))
