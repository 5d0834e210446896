import pytest

from anden.control.urls import secured


@pytest.mark.parametrize(
    ("gateway", "domain", "wanted"),
    [
        ("127.0.0.1:8443", "api.bank.example", "https://api.bank.example:8443"),
        ("127.0.0.1:443", "api.bank.example", "https://api.bank.example"),
        (None, "api.bank.example", None),
        ("127.0.0.1:8443", None, None),
    ],
)
def test_tls_goes_by_the_certificates_name(gateway: str | None, domain: str | None, wanted: str | None) -> None:
    assert secured(gateway, domain) == wanted
