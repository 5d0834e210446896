import json
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.local.idmap import UID_BASE, UID_COUNT
from anden.engines.local.render.container import Surroundings, User, hosts, process, spec, user
from anden.model.ids import Digest, InstanceId, ServiceName, ZoneName
from anden.model.instance import Instance
from anden.model.problem import Problems
from anden.model.topology import Size

PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:Web:/home/web:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
GROUP = "root:x:0:\nweb:x:1001:\naudio:x:29:web,ana\nstaff:x:50:web\n"
AT = Surroundings("/b/rootfs", "/run/netns/web-1", "/anden/c/web-1", "/b/hosts", "/b/resolv.conf", {"x": 1})
INSTANCE = Instance(
    id=InstanceId("web-1"),
    service=ServiceName("web"),
    ordinal=1,
    zone=ZoneName("a"),
    address=IPv4Address("172.30.1.4"),
    image=Digest("sha256:" + "0" * 64),
    image_name="web:1",
    argv=("/web", "--fast"),
    port=8080,
    env={"B": "2", "A": "1", "PATH": "/own"},
    size=Size(500, 1024),
    writable=("/var/x", "/tmp"),
)


@pytest.mark.parametrize(
    ("asked", "who"),
    [
        ("", User(0, 0, (), "/root")),
        ("web", User(1000, 1001, (29, 50), "/home/web")),
        ("1000", User(1000, 1001, (29, 50), "/home/web")),
        ("1000:0", User(1000, 0, (), "/home/web")),
        ("web:audio", User(1000, 29, (), "/home/web")),
        ("4711", User(4711, 0, (), "/")),
        ("4711:4712", User(4711, 4712, (), "/")),
        ("nobody", User(65534, 65534, (), "/")),
    ],
)
def test_users_as_the_image_knows_them(asked: str, who: User) -> None:
    assert user(replace(INSTANCE, user=asked), PASSWD, GROUP) == who


@pytest.mark.parametrize("asked", ["ana", "web:wheel", "70000", "0:65536"])
def test_users_that_cannot_be(asked: str) -> None:
    with pytest.raises(Problems) as found:
        user(replace(INSTANCE, user=asked), PASSWD, GROUP)
    assert found.value.problems[0].where == "services/web/user"
    assert found.value.problems[0].fix


def test_limits_are_the_size() -> None:
    resources = spec(INSTANCE, User(0, 0), AT)["linux"]["resources"]
    assert resources["memory"] == {"limit": 2**30, "swap": 2**30}
    assert resources["cpu"]["quota"] / resources["cpu"]["period"] == 0.5


def test_nothing_of_the_hardening_depends_on_the_instance() -> None:
    plain = spec(INSTANCE, User(0, 0), AT)
    assert plain["root"]["readonly"]
    assert plain["process"]["noNewPrivileges"]
    assert set(map(tuple, plain["process"]["capabilities"].values())) == {()}
    assert {one["type"] for one in plain["linux"]["namespaces"]} == {
        "user", "pid", "mount", "ipc", "uts", "cgroup", "network",
    }  # fmt: skip
    assert plain["linux"]["uidMappings"] == [{"containerID": 0, "hostID": UID_BASE, "size": UID_COUNT}]
    assert plain["linux"]["seccomp"] == {"x": 1}
    for mount in plain["mounts"]:
        assert {"nosuid", "noexec"} <= set(mount["options"]), mount


def test_what_is_writable_is_a_tmpfs_and_names_are_read_only() -> None:
    mounts = {one["destination"]: one for one in spec(INSTANCE, User(0, 0), AT)["mounts"]}
    assert mounts["/tmp"]["type"] == mounts["/var/x"]["type"] == "tmpfs"
    assert "ro" in mounts["/etc/hosts"]["options"]
    assert "ro" in mounts["/etc/resolv.conf"]["options"]
    assert hosts(INSTANCE) == "127.0.0.1 localhost\n172.30.1.4 web-1\n"


def test_the_process_is_the_instances_own_or_a_command_beside_it() -> None:
    own = process(INSTANCE, User(1000, 1001, (29,), "/home/web"))
    assert own["args"] == ["/web", "--fast"]
    assert own["env"] == ["A=1", "B=2", "HOME=/home/web", "HOSTNAME=web-1", "PATH=/own"]
    assert own["user"] == {"uid": 1000, "gid": 1001, "additionalGids": [29]}
    beside = process(INSTANCE, User(1000, 1001, (29,), "/home/web"), ("ls",))
    assert beside == {**own, "args": ["ls"]}


@given(st.builds(Size, st.integers(1, 64_000), st.integers(1, 500_000)), st.text("ab:/=\"'\n é", max_size=20))
def test_every_specification_is_json(size: Size, text: str) -> None:
    made = spec(replace(INSTANCE, size=size, env={"X": text}, workdir=text), User(0, 0), AT)
    assert json.loads(json.dumps(made)) == made
    assert made["linux"]["resources"]["cpu"]["shares"] >= 2
