"""The gateway's access log, a JSON document a request, as rules of HAProxy (2.6). Pure text.

What is written comes from a fixed list: no header but the host, nothing behind the path's `?`, and of a token that was
verified its subject. HAProxy escapes nothing in such a line, so what a caller chose is cut to a length and stripped of
what would end a text of JSON before it gets there.
"""

from collections.abc import Iterator

FD = 9
"""The descriptor at which a process finds the pipe that it writes to."""
MOST_BYTES = 2048
"""Of a line: less than what a pipe takes as one piece (4,096), so that the lines of two processes do not mix."""
PATH_LETTERS, HOST_LETTERS, SUBJECT_LETTERS = 512, 255, 128
"""Of what a caller chooses; what is longer is cut."""
_PLAIN = "regsub('[^][ !#-Z^-~]',?,g)"
"""Printable ASCII without the quote and the backslash; anything else becomes a question mark."""
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


def rules() -> Iterator[str]:
    """First of the `http-request` rules: also of what is refused, it is written what was asked for."""
    yield f"http-request set-var({_PATH}) path,bytes(0,{PATH_LETTERS}),{_PLAIN}"
    yield f"http-request set-var({_HOST}) req.hdr(host),bytes(0,{HOST_LETTERS}),{_PLAIN}"


def subject(token: str, when: str) -> str:
    """The rule that remembers whose token it is. token: the variable that holds it. Only of what was verified."""
    read = f"jwt_payload_query('$.sub'),bytes(0,{SUBJECT_LETTERS}),{_PLAIN}"
    return f"http-request set-var({_SUBJECT}) var({token}),{read} if {when}"
