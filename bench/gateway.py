"""The gateway as an environment has it - tokens verified, traces begun, every request written down - beside a bare
balancer: how many requests a second."""

import base64
import contextlib
import json
import subprocess
import time
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from anden.engines.local.render.stations import BALANCER
from anden.model.topology import Health, ImageSource, Issuer, Range, Route, Service, Size, VerifyingKey
from bench import answer, answering, balancer, world
from bench.balancer import CONNECTIONS, RATE, SECONDS, SERVERS, WRK_S, WRONG
from bench.figure import Budget, Figure, Row, Run, Unmeasured, alternate

OPEN, GUARDED = "/web/", "/guarded/"
ISSUER, AUDIENCE = "https://id.bank.example", "bank"
PEER = (
    "the hand-written HAProxy of the balancer's rows, which verifies nothing, begins no traces and writes nothing "
    "down, to the same instances on the same road. Ours asks for a token (RS256, the same in each request: it is "
    "verified once), begins a trace for each request, and has a JSON line of each in the log"
)
WITHOUT = "the same hand-written HAProxy; ours with traces and the access log, on a route that asks for no token"
ROWS = (
    Row("gateway/token", "Through the gateway with token, trace and access log", "/s", Budget(least=0.6), PEER),
    Row("gateway/open", "Through the gateway with trace and access log", "/s", None, WITHOUT),
)


def measure(run: Run) -> Iterator[Figure]:
    """Both, over one cell."""
    folder = run.folder / "gateway"
    folder.mkdir()
    image = answering.image(run.images, folder)
    private = rsa.generate_private_key(65537, 2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    issuer = Issuer("customers", ISSUER, AUDIENCE, "made.json", (VerifyingKey("bench", "RS256", pem),))

    def service(name: str, route: Route, instances: int) -> Service:
        return Service(
            name=name,  # type: ignore[arg-type]
            source=ImageSource(build="."), port=answering.PORT, route=route, health=Health("/"),
            instances=Range(instances, instances), size=Size(2000, 4096),
        )  # fmt: skip

    with contextlib.ExitStack() as stack:
        cell = stack.enter_context(world.cell(run.folder, run.images, "gateway"))
        services = (
            service("web", Route("/web"), SERVERS),
            service("guarded", Route("/guarded", auth="customers"), SERVERS),
        )
        blueprint = cell.blueprint(image, *services, auth=(issuer,))
        instances = [each for one in services for each in world.instances(blueprint, str(one.name))]
        cell.configure(blueprint)
        cell.start(instances)
        places = [f"{one.address}:{answering.PORT}" for one in instances if one.service == "guarded"]
        near = stack.enter_context(balancer.static(folder / "near.cfg", places, cell.namespace(BALANCER)))
        token = _token(private)
        answer.first("127.0.0.1", cell.port, OPEN)
        answer.first("127.0.0.1", near, OPEN)
        guarded, plain, bare = alternate(
            run.rounds, lambda: _saturate(cell.port, GUARDED, token), lambda: _saturate(cell.port, OPEN),
            lambda: _saturate(near, OPEN, token),
        )  # fmt: skip
        yield Figure(ROWS[0], guarded, bare)
        yield Figure(ROWS[1], plain, bare)


def _token(private: rsa.RSAPrivateKey) -> str:
    """Good for longer than this takes."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "exp": int(time.time()) + 24 * 3600, "scope": "a b"}
    text = ".".join(
        _b64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "bench"}, claims)
    )
    return f"{text}.{_b64(private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _saturate(port: int, path: str, token: str | None = None) -> float:
    """Requests a second. Raises Unmeasured when one failed or was refused, or without wrk."""
    argv = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s"]
    argv += ["-H", f"Authorization: Bearer {token}"] if token else []
    try:
        said = subprocess.run(
            [*argv, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=WRK_S, check=False
        ).stdout
    except FileNotFoundError as error:
        raise Unmeasured("wrk is not installed") from error
    found, wrong = RATE.search(said), WRONG.search(said)
    if found is None or wrong is not None:
        raise Unmeasured(f"wrk: {wrong[0] if wrong else said[-200:]}")
    return float(found[1])
