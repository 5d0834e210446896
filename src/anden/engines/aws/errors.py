"""What botocore raises, as problems in four parts. Pure but for the exceptions' types."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)

from anden.model.problem import Problem, Problems

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
UNKNOWN = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure",
                     "InvalidAccessKeyId"})  # fmt: skip
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
OFF = frozenset({"OptInRequired", "SubscriptionRequiredException", "RegionDisabledException"})
THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException",
                       "SlowDown"})  # fmt: skip
SIGN_IN = "Sign in as you do for the AWS command line (`aws sso login`, AWS_PROFILE), then try again."


@contextmanager
def explained(where: str) -> Iterator[None]:
    """What AWS or the way to it raises within becomes Problems. where: what was being worked on."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Problems(problem(where, error)) from error


def problem(where: str, error: Exception) -> Problem:  # noqa: PLR0911 - a return for each kind
    """The problem that an exception of botocore stands for."""
    if isinstance(error, ClientError):
        return _answered(where, error)
    said = str(error).rstrip(".")
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        why = "the ordinary chain (environment, profile, single sign-on, role) gives none"
        return Problem(where, "there are no credentials", why, SIGN_IN)
    if isinstance(error, (SSOError, TokenRetrievalError, CredentialRetrievalError)):
        return Problem(where, "the sign-in is over, or gives no credentials", said, SIGN_IN)
    if isinstance(error, ProfileNotFound):
        return Problem(where, "there is no such profile", said, "Name another one in AWS_PROFILE.")
    if isinstance(error, NoRegionError):
        return Problem(where, "no region is named", said, "Add `region:` to the manifest, or set AWS_REGION.")
    if isinstance(error, EndpointConnectionError):
        fix = "Check `region` in the manifest, and the network, then try again."
        return Problem(where, "AWS does not answer there, or there is no such region", said, fix)
    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):
        return Problem(where, "AWS does not answer in time", said, "Check the network and any proxy, then try again.")
    return Problem(where, "cannot ask AWS", said, "Check the network and the profile, then try again.")


def code(error: Exception) -> str:
    """AWS's word for what is wrong: `ValidationError`; empty for what AWS did not answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def message(error: ClientError) -> str:
    """What AWS said, without the full stop."""
    return str(error.response.get("Error", {}).get("Message", "")).rstrip(".")


def _answered(where: str, error: ClientError) -> Problem:
    its, said, asked = code(error), message(error), error.operation_name
    if its in EXPIRED:
        return Problem(where, "the credentials have expired", said, "Sign in again (`aws sso login`), then try again.")
    if its in UNKNOWN:
        return Problem(where, f"AWS does not know these credentials ({its})", said, SIGN_IN)
    if its in DENIED:
        fix = "Use a role that may do this; docs/aws/access.md says which role may what."
        return Problem(where, f"these credentials may not {asked}", said, fix)
    if its in OFF:
        fix = "Turn the region on in the account, or name another `region` in the manifest."
        return Problem(where, "the account has this region or service turned off", said, fix)
    if its in THROTTLED:
        why = f"{said}; it was tried again with longer and longer waits"
        return Problem(where, f"AWS is asked too often ({asked})", why, "Run the same command again in a minute.")
    fix = "Mend what AWS names, and run the same command again."
    return Problem(where, f"AWS refused {asked} ({its})", said, fix)
