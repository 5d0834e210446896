"""Cost, preflight and what a plan says of both: the wording that people see, as golden files."""

from dataclasses import replace

from tests.unit.cli.kept import same

from anden.cli.render import cost, plan, preflight
from anden.cli.render.paint import PLAIN
from anden.model.cost import Assumed, CostChange, CostLine, CostReport, FamilyCost
from anden.model.foresight import Foresight
from anden.model.ids import Digest
from anden.model.image import ImageScan, Scan
from anden.model.image import Verdict as Found
from anden.model.plan import Action, Difference
from anden.model.preflight import Basis, Need, PreflightReport, QuotaCheck, Verdict
from anden.model.problem import Problem
from anden.model.report import PlanReport

PAGE = "https://aws.amazon.com/fargate/pricing/"
LINES = (
    CostLine("Fargate compute", "2..8 vCPU", "vCPU-hour", 1460, 5840, 0.04048, PAGE),
    CostLine("API gateway requests", "1 million", "million requests", 1, 1, None, "https://aws.amazon.com/api-gateway/pricing/"),
)  # fmt: skip
FAMILIES = (
    FamilyCost("Fargate compute", 59.1008, 236.4032, "2..8 vCPU"),
    FamilyCost("API gateway requests", 0, 0, "1 million (no price)"),
)
COST = CostReport(
    "banco-andino", "production", "aws", "sa-east-1", "USD", 59.1008, 236.4032, FAMILIES, LINES,
    tuple(Assumed().said()), ("support plans, taxes",), "2025-06-01", 545, 730.0, 11.95,
)  # fmt: skip


def checked(key: str, name: str, levels: tuple[float, float, float], allowed: float, **fields: object) -> QuotaCheck:
    given: dict[str, object] = {
        "scope": "region", "basis": Basis.DEFAULT, "used": None, "raisable": True, "request": "",
        "source": "https://docs.aws.amazon.com/quotas", "verdict": Verdict.HOLDS, **fields,
    }  # fmt: skip
    of = str(given.pop("of", ""))
    return QuotaCheck(Need(key, *levels, of), name, allowed=allowed, **given)  # type: ignore[arg-type]


VCPU = checked(
    "fargate-vcpu", "Fargate vCPU", (2, 14, 18.25), 6, request="fargate/L-3032A538", verdict=Verdict.SHORT_AT_MAX
)
ADDRESSES = checked(
    "addresses",
    "Elastic IPs",
    (3, 3, 3),
    5,
    basis=Basis.ACCOUNT,
    used=3.0,
    request="ec2/L-0263D0A3",
    verdict=Verdict.SHORT,
)
TARGETS = checked(
    "balancer-target-groups", "target groups of a balancer", (120, 120, 120), 100, raisable=False, verdict=Verdict.SHORT
)
SUBNET = checked(
    "private-addresses", "addresses of a private subnet", (90, 110, 130), 123, basis=Basis.NETWORK, raisable=False,
    verdict=Verdict.DEPLOY_SHORT, of="of 3",
)  # fmt: skip
ALARMS = checked("alarms", "alarms", (5000, 5000, 5000), 4000, basis=Basis.ACCOUNT, verdict=Verdict.SHORT)
KEYS = checked("keys", "KMS keys", (1, 1, 1), 100_000)
REPORT = PreflightReport(
    "banco-andino", "production", "aws", "us-east-1", "111122223333", 1_763_950_000.0,
    (VCPU, ADDRESSES, TARGETS, SUBNET, ALARMS, KEYS),
    (Problem("zones", "us-east-1 offers 2 zones, 3 are needed", "the account has two", "Use 2 zones."),),
    {"quotas of fargate": "AccessDenied: no"}, "2025-06-01",
)  # fmt: skip


def test_cost() -> None:
    same("cost.txt", cost.text(COST, PLAIN))


def test_cost_line_by_line() -> None:
    same("cost-lines.txt", cost.text(COST, PLAIN, lines=True))


def test_preflight() -> None:
    same("preflight.txt", preflight.text(REPORT, PLAIN))


def test_preflight_of_an_account_that_holds() -> None:
    holds = replace(REPORT, checks=(KEYS,), problems=(), unread={"account": "it was not asked"}, read_at=None)
    same("preflight-holds.txt", preflight.text(holds, PLAIN))
    assert not any("with room to spare" in line for line in preflight.text(holds, PLAIN, everything=True))


def test_a_plan_shows_what_is_guessed_and_what_it_costs() -> None:
    digest = Digest("sha256:c03f" + "0" * 60)
    accounts = Difference(Action.CREATE, "accounts", "1.4.2, 2..8 instances")
    report = PlanReport("banco-andino", "production", "aws", None, digest, (accounts,), (), (), (), ())
    foreseen = Foresight((VCPU, ADDRESSES), (), CostChange("USD", 412.4, 689.0))
    same("plan-foresight.txt", plan.lines(replace(report, foresight=foreseen), PLAIN))


def test_what_a_change_costs_more_or_less() -> None:
    assert cost.change(CostChange("USD", 412.4, 689.2)) == "+$412/month at base, $689 at max"
    assert cost.change(CostChange("USD", 412.0, 1689.0, 400.0, 689.0)) == "+$12/month at base, +$1,000 at max"
    assert cost.change(CostChange("USD", 400.0, 600.0, 412.0, 600.2)) == "-$12/month at base, +$0 at max"


def test_a_plan_with_what_the_scan_says() -> None:
    digest = Digest("sha256:" + "c0" * 32)
    said = {
        "accounts": Scan(Found.FOUND, {"LOW": 1, "CRITICAL": 2}), "ledger": Scan(Found.CLEAN), "web": Scan(),
        "mail": Scan(Found.NONE, why="the scanner does not know its operating system"), "cards": Scan(),
    }  # fmt: skip
    scans = tuple(ImageScan(service, f"{service}:1.0", digest, scan) for service, scan in said.items())
    report = PlanReport("banco-andino", "production", "aws", None, digest, (), (), (), (), (), scans=scans)
    same("plan-scans.txt", plan.lines(report, PLAIN))
    many = replace(report, scans=tuple(ImageScan(f"s{number}", "s:1", digest, Scan()) for number in range(10)))
    assert "  scan  not scanned yet: s0, s1, s2, s3, s4, s5, s6, s7 and 2 more" in plan.lines(many, PLAIN)
