import pytest

from anden.drill.routes import services, urls
from anden.model.problem import Problems
from anden.model.report import ServiceStatus, StatusReport

GATEWAY = "127.0.0.1:8080"


def service(name: str, path: str | None, auth: str | None = None) -> ServiceStatus:
    url = f"http://{GATEWAY}{path}" if path else None
    return ServiceStatus(name, 1, 1, 1, 1, "1", "healthy", (), url, auth)


def report(*of: ServiceStatus, gateway: str | None = GATEWAY) -> StatusReport:
    return StatusReport("bank", "dev", "local", True, "", None, None, 1.0, 1, gateway, of)


BANK = report(
    service("web", "/"), service("accounts", "/accounts"), service("admin", "/admin", "staff"), service("l", None)
)


def test_every_route_without_a_token() -> None:
    assert urls(BANK, ()) == (f"http://{GATEWAY}/", f"http://{GATEWAY}/accounts")


def test_or_those_that_are_said() -> None:
    assert urls(BANK, ("/accounts/1?x=y",)) == (f"http://{GATEWAY}/accounts/1?x=y",)


@pytest.mark.parametrize("path", ["accounts", "/a b", "/ñ"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(Problems, match="none that can be asked"):
        urls(BANK, (path,))


def test_nothing_to_ask_and_nowhere_to_ask() -> None:
    with pytest.raises(Problems, match="at-rate 0"):
        urls(report(service("admin", "/admin", "staff")), ())
    with pytest.raises(Problems, match="no gateway"):
        urls(report(service("web", "/"), gateway=None), ("/",))


def test_whose_they_are() -> None:
    asked = urls(BANK, ("/accounts", "/accounts/7", "/accountsx", "/other"))
    assert services(BANK, asked) == ("accounts", "accounts", "web", "web")
    only = report(service("accounts", "/accounts"))
    assert services(only, urls(only, ("/accounts", "/other"))) == ("accounts",)
