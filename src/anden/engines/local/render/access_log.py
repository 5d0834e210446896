"""The gateway's access log, a JSON document a request, as rules of HAProxy (2.6). Pure text.

What is written comes from a fixed list: no header but the host, nothing behind the path's `?`, and of a token that was
verified its subject. HAProxy escapes nothing in such a line, so what a caller chose is cut to a length and escaped
before it gets there.
"""

from collections.abc import Iterator

FD = 9
"""The descriptor at which a process finds the pipe that it writes to."""
MOST_BYTES = 4000
"""Of a line: less than what a pipe takes as one piece (4,096), so that the lines of two processes do not mix."""
PATH_BYTES, HOST_BYTES, SUBJECT_BYTES = 512, 255, 128
"""Of what a caller chooses; what is longer is cut. Escaped they fit: a path has printable letters only, and grows to
twice as much; of the others each byte may become six."""
NO_TLS = "tls"
"""The end of who came to no agreement on TLS."""
_ESCAPED = "json(utf8s)"
"""It writes `\\/` for a slash, which whoever shows a line makes a slash again (`shown`). A pattern that replaces what
does not fit costs each request several times as much."""
_PATH, _HOST, _SUBJECT = "txn.anden_path", "txn.anden_host", "txn.anden_subject"
_FIELDS = (
    ("time", "%Ts.%ms"),
    ("client", '"%ci"'),
    ("method", '"%HM"'),
    ("host", f'"%[var({_HOST})]"'),
    ("path", f'"%[var({_PATH})]"'),
    ("status", "%ST"),
    ("bytes", "%B"),
    ("ms", "%Ta"),
    # `web:open` is the service web; `anden:nowhere` nobody's but the gateway's own.
    ("service", '"%[be_name,field(1,:)]"'),
    ("instance", '"%[srv_name]"'),
    ("trace", '"%[var(txn.anden_trace)]"'),
    ("subject", f'"%[var({_SUBJECT})]"'),
    ("end", '"%ts"'),
)
"""`-` stands for what is not there. A method has no quote in it: HAProxy takes tokens only."""


def lines() -> Iterator[str]:
    """Of the gateway's frontend: where the log goes, and what a line has."""
    yield f"log fd@{FD} len {MOST_BYTES} format raw local0"
    yield "log-format '{" + ",".join(f'"{name}":{value}' for name, value in _FIELDS) + "}'"


def handshakes() -> Iterator[str]:
    """The same for who did not get as far as a request with TLS, in a document with the same fields. Nothing is known
    of it but the address; HAProxy would write a line of its own form else."""
    known = {"time": "%Ts.%ms", "client": '"%ci"', "service": '"anden"', "end": f'"{NO_TLS}"'}
    fields = {name: "0" if name in ("status", "bytes", "ms") else '"-"' for name, _ in _FIELDS} | known
    yield "error-log-format '{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}'"


def rules() -> Iterator[str]:
    """First of the `http-request` rules: also of what is refused, it is written what was asked for."""
    yield f"http-request set-var({_PATH}) path,bytes(0,{PATH_BYTES}),{_ESCAPED}"
    yield f"http-request set-var({_HOST}) req.hdr(host),bytes(0,{HOST_BYTES}),{_ESCAPED}"


def shown(line: str) -> str:
    """A line as people read it, and the same document. Nothing else in it has a backslash before a slash: a backslash
    that a caller wrote is two, and a slash behind it has its own."""
    return line.replace("\\/", "/")


def subject(token: str, when: str) -> str:
    """The rule that remembers whose token it is. token: the variable that holds it. Only of what was verified."""
    read = f"jwt_payload_query('$.sub'),bytes(0,{SUBJECT_BYTES}),{_ESCAPED}"
    return f"http-request set-var({_SUBJECT}) var({token}),{read} if {when}"
