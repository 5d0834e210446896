"""AWS's answers as recorded in its documentation's shapes, spoken over HTTP on loopback to the real client."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.config import Config

EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
Refused = tuple[int, str, str]
"""Status, code and message."""
Answers = Mapping[str, "str | dict[str, Any] | Refused"]
"""By action: `DescribeVpcs`, or `ListServiceQuotas/vpc` for one service's. Text is the inside of an XML answer."""


class Recorded:
    """asked: the actions, in their order."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.port = 0

    def client(self, name: str) -> Any:
        """A boto3 client that asks this."""
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
        return boto3.client(
            name, region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{self.port}", config=config,
            aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="example",
        )  # type: ignore[call-overload]  # fmt: skip

    def answer(self, action: str, body: Mapping[str, Any], *, as_json: bool) -> tuple[int, str]:
        """Status and text."""
        detailed = f"{action}/{body.get('ServiceCode')}"
        self.asked.append(detailed if detailed in self.answers else action)
        given = self.answers.get(detailed, self.answers.get(action, (400, "AccessDenied", f"no {action} for you")))
        if isinstance(given, tuple):
            status, code, message = given
            if as_json:
                return status, json.dumps({"__type": code, "message": message})
            error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return status, f"<ErrorResponse>{error}<Response><Errors>{error}</Errors></Response></ErrorResponse>"
        if isinstance(given, dict):
            return 200, json.dumps(given)
        return 200, f"<{action}Response>{given}</{action}Response>"


@contextmanager
def recorded(answers: Answers) -> Iterator[Recorded]:
    """Answer so until the block ends."""
    it = Recorded(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            target = self.headers.get("X-Amz-Target")
            if target:
                status, said = it.answer(target.rpartition(".")[2], json.loads(text or "{}"), as_json=True)
            else:
                fields = {name: values[0] for name, values in parse_qs(text).items()}
                status, said = it.answer(fields["Action"], fields, as_json=False)
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1" if target else "text/xml")
            self.send_header("Content-Length", str(len(said.encode())))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    it.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield it
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
