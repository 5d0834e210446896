import pytest

from anden.control.urls import secured


@pytest.mark.parametrize(
    ("gateway", "domain", "asked"),
    [
        ("127.0.0.1:8443", "api.bank.example", "https://api.bank.example:8443"),
        ("127.0.0.1:443", "api.bank.example", "https://api.bank.example"),
        (None, "api.bank.example", None),
        ("127.0.0.1:8443", None, None),
    ],
)
def test_tls_is_asked_for_by_the_name_in_its_certificate(
    gateway: str | None, domain: str | None, asked: str | None
) -> None:
    assert secured(gateway, domain) == asked
