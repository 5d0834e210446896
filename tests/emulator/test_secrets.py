"""Secrets on AWS as a person keeps them: in Secrets Manager, named by version in templates, and nowhere else."""

import io
import json
import re
import secrets as random
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests import leaks
from tests.emulator.carrying import Carrying
from tests.emulator.emulator import ACCOUNT, REGION, Emulator, reached

from anden import connection
from anden.cli.main import main
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.render.account import bucket_name
from anden.engines.aws.secrets import AccountSecrets
from anden.engines.simulated import SimulatedImages
from anden.machine import SystemClock
from anden.model.secret import LEAST_RANDOM

TEXT = f"""anden: 1
client: vault
region: {REGION}
services:
  web: {{ image: web:1.0, port: 8080, route: /, secrets: {{ CORE_TOKEN: core-token }} }}
  other: {{ image: other:1.0, port: 8080, secrets: {{ KEY: another }} }}
environments:
  dev:
    links: {{ core: {{ peer: 203.0.113.20, networks: [10.21.0.0/16], secret: [vpn-1, vpn-2], bgp: 65010 }} }}
"""
POLL_S = 0.02
NAMES = ("another", "core-token", "vpn-1", "vpn-2")
FAMILIES = ("network", "service-web", "service-other")


def planted() -> str:
    return f"Pl4nted.{random.token_hex(12)}.{random.token_hex(12)}"


@dataclass
class Keeper:
    """The command line in a folder with TEXT, and all that it said."""

    aws: Emulator
    folder: Path
    said: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, value: str | None = None, fails: bool = False) -> str:
        with pytest.MonkeyPatch.context() as patch:
            out, err = io.StringIO(), io.StringIO()
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((value or "").encode())))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.chdir(self.folder)
            code = main([*words, "--on", "aws"])
        told = out.getvalue() + err.getvalue()
        self.said.append(told)
        assert (code != 0) is fails, f"{words} → {code}\n{told}"
        return told

    def put(self, word: str, name: str) -> str:
        """A new value, which is remembered."""
        value = self.values[f"{name} {len(self.values)}"] = planted()
        return self("secret", word, name, value=value)

    def listed(self, *, fails: bool = False) -> dict[str, Any]:
        told = self("secret", "list", "--json", fails=fails)
        return {each["name"]: each for each in json.loads(told)["secrets"]}

    def template(self, family: str) -> str:
        found = self.aws.client("cloudformation").get_template(StackName=f"anden-vault-dev-{family}")["TemplateBody"]
        return found if isinstance(found, str) else json.dumps(found)

    def stacks(self) -> set[str]:
        found = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return {each["StackName"].removeprefix("anden-vault-dev-") for each in found}


def _engine_of_aws() -> tuple[AwsEngine, SimulatedImages]:
    return AwsEngine(SystemClock(), POLL_S, Carrying()), SimulatedImages()


@pytest.fixture(scope="module")
def keeper(_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    """One environment for all of these, in this order."""
    with pytest.MonkeyPatch.context() as patch:
        for name, set_to in reached(_emulator).items():
            patch.setenv(name, set_to) if set_to is not None else patch.delenv(name, raising=False)
        _emulator.forget()
        _emulator.client("s3").create_bucket(Bucket=bucket_name("vault", ACCOUNT))
        root = tmp_path_factory.mktemp("vault")
        (root / "vault").mkdir()
        (root / "vault" / "anden.yaml").write_text(TEXT)
        patch.setenv("ANDEN_STATE", str(root / "state"))
        patch.setenv("NO_COLOR", "1")
        patch.setattr(connection, "_engine_of_aws", _engine_of_aws)
        yield Keeper(_emulator, root / "vault")


def test_what_is_missing_stops_a_plan_before_any_stack_and_is_set_before_the_first(keeper: Keeper) -> None:
    told = keeper("plan", fails=True)
    for name in NAMES:
        assert f"there is no secret {name}" in told
    assert "`anden secret set core-token -e dev --on aws`" in told
    keeper("up", "--yes", fails=True)
    assert keeper.stacks() == set()
    missing = keeper.listed(fails=True)
    assert {name: each["version"] for name, each in missing.items()} == dict.fromkeys(NAMES, "")
    told = keeper.put("set", "core-token")
    assert "key" in told
    assert keeper.stacks() == {"key"}
    invited = keeper("link", "invite", "core", "-o", str(keeper.folder / "none"), fails=True)
    assert "the outside addresses of our two endpoints are not known yet" in invited
    keeper.put("set", "another")
    keeper("secret", "set", "vpn-1", "--random")
    assert "no key of a tunnel" in keeper("secret", "set", "vpn-2", value="short", fails=True)
    keeper.put("set", "vpn-2")
    assert {name: each["version"] for name, each in keeper.listed().items()} == dict.fromkeys(NAMES, "v1")


def test_it_lies_in_secrets_manager_under_the_environments_key_and_tags(keeper: Keeper) -> None:
    found = keeper.aws.client("secretsmanager").describe_secret(SecretId="vault/dev/core-token")
    assert found["KmsKeyId"] == "alias/anden/vault/dev"
    assert {each["Key"]: each["Value"] for each in found["Tags"]} == {
        "anden:client": "vault", "anden:environment": "dev"
    }  # fmt: skip
    (version,) = found["VersionIdsToStages"]
    kept = keeper.aws.client("secretsmanager").get_secret_value(SecretId="vault/dev/core-token", VersionId=version)
    assert kept["SecretString"] == keeper.values["core-token 0"]


def test_templates_name_versions_and_a_rotation_replaces_what_uses_it_and_nothing_else(keeper: Keeper) -> None:
    keeper("up", "--yes")
    before = {family: keeper.template(family) for family in FAMILIES}
    ids = {name: each["id"] for name, each in keeper.listed().items()}
    assert f"secret:vault/dev/core-token:::{ids['core-token']}" in before["service-web"]
    assert f"{{{{resolve:secretsmanager:vault/dev/vpn-1:SecretString:::{ids['vpn-1']}}}}}" in before["network"]
    told = keeper.put("set", "core-token")
    assert "web: v1 stays until" in told
    assert "~ web  secret core-token v1 → v2" in keeper("plan")
    assert keeper.listed()["core-token"]["running"] == ["v1"]
    assert {family: keeper.template(family) for family in FAMILIES} == before
    keeper.put("rotate", "core-token")
    after = {family: keeper.template(family) for family in FAMILIES}
    assert f"core-token:::{keeper.listed()['core-token']['id']}" in after["service-web"]
    assert {family for family in FAMILIES if after[family] != before[family]} == {"service-web"}
    (kept,) = [each for name, each in keeper.values.items() if name.endswith(f" {len(keeper.values) - 1}")]
    client = keeper.aws.client("secretsmanager")
    assert client.get_secret_value(SecretId="vault/dev/core-token")["SecretString"] == kept
    keeper.put("rotate", "vpn-2")
    changed = keeper.template("network")
    assert f"vpn-1:SecretString:::{ids['vpn-1']}" in changed
    assert f"vpn-2:SecretString:::{keeper.listed()['vpn-2']['id']}" in changed


def test_one_that_is_used_stays_and_one_that_is_removed_can_be_had_back(keeper: Keeper) -> None:
    assert "web uses it" in keeper("secret", "remove", "core-token", fails=True)
    keeper.put("set", "unused")
    told = keeper("secret", "remove", "unused")
    assert re.search(r"until \d{4}-\d\d-\d\d `aws secretsmanager restore-secret .*vault/dev/unused` brings it", told)
    assert "unused" not in keeper.listed()


def test_the_record_says_who_and_what(keeper: Keeper) -> None:
    done = [each["what"] for each in json.loads(keeper("history", "--json"))]
    assert {"secret set core-token", "secret rotate core-token", "secret remove unused"} <= set(done)
    assert keeper.listed()["core-token"]["who"] != ""


def test_what_is_refused_or_ends_in_a_crash_repeats_no_value(keeper: Keeper) -> None:
    keeper.put("set", "core-token")
    last = list(keeper.values.values())[-1]
    for wrong in ("", f"nul\0{last}", last * 2_000):
        keeper("secret", "set", "core-token", value=wrong, fails=True)
    keeper("secret", "rotate", "nobody", value=last, fails=True)
    keeper("secret", "set", "core-token", "--random", str(LEAST_RANDOM))

    def broken(*_: object) -> None:
        raise RuntimeError("a programmer's error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccountSecrets, "prune", broken)
        with pytest.raises(RuntimeError) as crash:
            keeper.put("set", "core-token")
    keeper.said.append("".join(traceback.format_exception(crash.value)))


def test_a_links_tunnels_are_seen_as_aws_tells_them(keeper: Keeper) -> None:
    told = keeper("link", "status", fails=True)
    assert "! link core, tunnel 1: it is down" in told
    assert "why: AWS says: IPSEC IS DOWN" in told
    assert "no tunnel is up: nothing behind it can be reached" in keeper("status")
    ec2, alarms = keeper.aws.client("ec2"), keeper.aws.client("cloudwatch")
    (vpn,) = ec2.describe_vpn_connections()["VpnConnections"]
    (alarm,) = alarms.describe_alarms(AlarmNames=["vault-dev-link-core-down"])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "VpnId", "Value": vpn["VpnConnectionId"]}]
    topics = [each["TopicArn"] for each in keeper.aws.client("sns").list_topics()["Topics"]]
    assert alarm["AlarmActions"] == alarm["OKActions"]
    assert alarm["AlarmActions"][0] in topics
    alarms.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="1 of 1 was 0")
    assert re.search(r"! alarm link core: on since .*, and somebody is told", keeper("status"))
    alarms.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="over")
    ec2.create_tags(Resources=[vpn["VpnConnectionId"]], Tags=[{"Key": "up", "Value": "2"}])
    (link,) = json.loads(keeper("link", "status", "--json"))
    assert (link["by"], [each["up"] for each in link["tunnels"]]) == (2, [False, True])
    assert link["tunnels"][1]["bgp"] == {
        "state": "established", "carries": True, "heard": [], "refused": [], "problem": None,
    }  # fmt: skip
    assert (vpn["Options"]["StaticRoutesOnly"], vpn.get("Routes", [])) == (False, [])
    (peer,) = ec2.describe_customer_gateways()["CustomerGateways"]
    assert peer["BgpAsn"] == "65010"
    outside = {each["TunnelInsideCidr"]: each["OutsideIpAddress"] for each in vpn["Options"]["TunnelOptions"]}
    assert [each["address"] for each in link["tunnels"]] == [outside[each] for each in sorted(outside)]
    assert "tunnel 1 is down: it is down: AWS says: IPSEC IS DOWN" in keeper("status")
    assert "not raised and lowered here" in keeper("link", "down", "core", fails=True)


def test_who_is_invited_to_a_link_gets_awss_addresses_and_no_key_and_only_while_nobody_is_there(keeper: Keeper) -> None:
    ec2, file = keeper.aws.client("ec2"), keeper.folder / "core.invitation"
    (vpn,) = ec2.describe_vpn_connections()["VpnConnections"]
    words = ("link", "invite", "core", "-o", str(file), "--expires", "1h")
    ec2.create_tags(Resources=[vpn["VpnConnectionId"]], Tags=[{"Key": "up", "Value": "2"}])
    told = keeper(*words, fails=True)
    assert "link core, tunnel 2: it is up: somebody is on its other side" in told
    assert "Have tunnel 2 taken down on the device at 203.0.113.20 first" in told
    assert not file.exists()
    ec2.create_tags(Resources=[vpn["VpnConnectionId"]], Tags=[{"Key": "up", "Value": ""}])
    assert "On a Linux machine that leaves as 203.0.113.20, as root: anden join" in keeper(*words)
    assert file.stat().st_mode & 0o777 == 0o600
    said = json.loads(file.read_text())
    outside = {each["TunnelInsideCidr"]: each["OutsideIpAddress"] for each in vpn["Options"]["TunnelOptions"]}
    ends = [each["ours"]["address"] for each in said["agreement"]["tunnels"]]
    assert ends == [outside[each] for each in sorted(outside)]
    assert (said["engine"], said["asks-for"], said["agreement"]["bgp"]["theirs"]) == ("aws", ["vpn-1", "vpn-2"], 65010)
    assert {"keys", "wire", "meet"}.isdisjoint(said)
    assert [where for where, text in everything(keeper.aws) if said["page-key"] in text] == []
    page = keeper("link", "page", "core", "--invitation", str(file))
    assert "| 1 | down | 2026-11-27T02:00:00Z |" in page
    assert "- link core, tunnel 1: it is down; AWS says: IPSEC IS DOWN." in page
    assert f"`anden-signature: {said['id']} " in page
    assert "there is nothing to end; a file ends with its time" in keeper("link", "invite", "core", "--end")
    done = [each["what"] for each in json.loads(keeper("history", "--json"))]
    assert f"link invite core, until {said['expires']}" in done
    assert ec2.describe_vpn_connections()["VpnConnections"][0]["Options"] == vpn["Options"]


def test_what_was_refused_is_read_from_both_logs(keeper: Keeper) -> None:
    """Here because the environment stands; its templates' logs are there, and AWS would write to them."""
    now = int(time.time())
    words = f"203.0.113.9 443 6 4 {now - 120} {now - 60}"
    flows = [
        f"web egress 10.0.0.7 {words} REJECT", f"web egress 10.0.0.7 {words} REJECT",
        f"- egress 10.0.0.9 {words} REJECT",  # nobody's: a balancer, or a task that AWS does not name
        f"web ingress 10.0.0.7 {words} REJECT", f"web egress 10.0.0.7 {words} ACCEPT", "- - - - - - - - - NODATA",
    ]  # fmt: skip
    at = datetime.fromtimestamp(now - 30, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = {"query_timestamp": at, "query_name": "Evil.example.", "query_type": "A", "rcode": "NXDOMAIN"}
    names = [
        json.dumps({**asked, "srcaddr": "10.0.0.7", "firewall_rule_action": "BLOCK"}),
        json.dumps({**asked, "srcaddr": "10.0.0.8", "firewall_rule_action": "BLOCK"}),
        json.dumps({**asked, "srcaddr": "10.0.0.7", "firewall_rule_action": "ALLOW"}), json.dumps(asked),
    ]  # fmt: skip
    logs = keeper.aws.client("logs")
    for which, lines in (("flows", flows), ("names", names)):
        group = f"/anden/vault/dev/refused/{which}"
        logs.create_log_stream(logGroupName=group, logStreamName="one")
        events = [{"timestamp": now * 1000, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)
    report = json.loads(keeper("refused", "--json"))
    rows = {(each["service"], each["to"], each["port"]): each for each in report["rows"]}
    assert set(rows) == {
        ("web", "203.0.113.9", 443), ("web", "evil.example", None), ("10.0.0.8", "evil.example", None)
    }  # fmt: skip
    one = rows["web", "203.0.113.9", 443]
    assert (one["count"], one["transport"], one["first"], one["last"]) == (8, "tcp", now - 120, now - 60)
    assert rows["web", "evil.example", None]["why"] == "not declared"
    assert "is gone" in rows["10.0.0.8", "evil.example", None]["fix"]
    assert [each["subject"] for each in report["caveats"]] == ["refused", "refused"]
    assert "≠ aws: refused: packets are counted by the minute" in keeper("refused", "--since", "10m")
    assert "203.0.113.9" not in keeper("logs")


def test_only_secrets_manager_has_them(keeper: Keeper) -> None:
    keeper("plan", "--save", str(keeper.folder / "saved.json"), "--json")
    keeper("render", "-o", str(keeper.folder / "rendered"))
    left = list(everything(keeper.aws))
    assert any("resolve:secretsmanager:vault/dev/vpn-1" in text for _, text in left)
    texts = ["\n".join([*keeper.said, *(f"{where}: {text}" for where, text in left)])]
    assert len(keeper.values) >= 8
    for name, value in keeper.values.items():
        for mark in (value, *(part for part in value.split(".") if len(part) == 24)):
            if leaks.in_texts(mark, texts):
                said = [f"{where}: {text}" for where, text in left] + keeper.said
                raise AssertionError(f"{name}: {leaks.in_texts(mark, said)}")
            assert leaks.in_files(mark, keeper.folder.parent) == [], name
            assert leaks.in_files(mark, keeper.aws.log.parent) == [], name
            assert leaks.in_command_lines(mark) == [], name


def everything(aws: Emulator) -> Iterator[tuple[str, str]]:
    """What an account shows of a run beside its secrets' values, as text, by where it is."""
    s3 = aws.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for each in s3.list_object_versions(Bucket=bucket["Name"]).get("Versions", ()):
            words = {"Bucket": bucket["Name"], "Key": each["Key"], "VersionId": each["VersionId"]}
            yield f"s3 {each['Key']}", s3.get_object(**words)["Body"].read().decode(errors="surrogateescape")
    stacks = aws.client("cloudformation")
    for stack in stacks.describe_stacks()["Stacks"]:
        name = stack["StackName"]
        yield f"stack {name}", str(stack)
        yield f"template {name}", str(stacks.get_template(StackName=name)["TemplateBody"])
        yield f"events {name}", str(stacks.describe_stack_events(StackName=name)["StackEvents"])
        yield f"resources {name}", str(stacks.describe_stack_resources(StackName=name)["StackResources"])
        for made in stacks.list_change_sets(StackName=name)["Summaries"]:
            yield f"change set {name}", str(stacks.describe_change_set(ChangeSetName=made["ChangeSetId"]))
            yield f"change set's template {name}", str(stacks.get_template(ChangeSetName=made["ChangeSetId"]))
    ecs = aws.client("ecs")
    for arn in ecs.list_task_definitions()["taskDefinitionArns"]:
        yield arn, str(ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"])
    for cluster in ecs.list_clusters()["clusterArns"]:
        for task in ecs.list_tasks(cluster=cluster)["taskArns"]:
            yield task, str(ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"])
        for service in ecs.list_services(cluster=cluster)["serviceArns"]:
            yield service, str(ecs.describe_services(cluster=cluster, services=[service])["services"])
    secrets = aws.client("secretsmanager")
    for each in secrets.list_secrets()["SecretList"]:
        yield f"secret {each['Name']}", str(each)
    ssm = aws.client("ssm")
    for parameter in ssm.describe_parameters()["Parameters"]:
        yield f"parameter {parameter['Name']}", str(ssm.get_parameter(Name=parameter["Name"], WithDecryption=True))
    logs = aws.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        yield f"log {group['logGroupName']}", str(logs.filter_log_events(logGroupName=group["logGroupName"])["events"])
    yield "connections", str(aws.client("ec2").describe_vpn_connections()["VpnConnections"])
