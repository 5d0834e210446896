"""One HTTP/1.1 response as its bytes come in: where it ends, what its status is, and whether the connection stays."""

MOST_HEAD_BYTES = 64 << 10
MOST_LINE_BYTES = 1 << 10
"""Of a chunk's length."""
END = b"\r\n\r\n"
BODILESS = frozenset({204, 304})


class Malformed(Exception):  # noqa: N818 - what it is
    """What came is no HTTP response."""


class Answer:
    """feed() it until it says that the response is whole. status 0: the head is not there yet."""

    __slots__ = ("_chunked", "_data", "_left", "_trailers", "keeps", "status", "whole")

    def __init__(self) -> None:
        self.status = 0
        self.keeps = True
        self.whole = False
        self._data = b""
        self._left: int | None = 0
        self._chunked = False
        self._trailers = False

    def feed(self, data: bytes) -> bool:
        """More bytes came; whether the response is whole now. Raises Malformed, also for what comes after its end."""
        if self.whole:
            raise Malformed("bytes after the end of the answer")
        self._data += data
        while self.status == 0:
            if not self._head():
                return False
        if self.whole:
            pass
        elif self._chunked:
            self._chunks()
        elif self._left is None:
            self._data = b""
        else:
            self._left -= len(self._data)
            self._data = b""
            if self._left < 0:
                raise Malformed("more bytes than the head promised")
            self.whole = self._left == 0
        return self.whole

    def closed(self) -> bool:
        """The other side closed; whether that was the end of a whole answer (one without a length)."""
        if self.status and not self.whole and not self._chunked and self._left is None:
            self.whole = True
        self.keeps = False
        return self.whole

    def _head(self) -> bool:
        """Read the head if it is all there. An interim one (1xx) leaves the status at 0."""
        head, found, rest = self._data.partition(END)
        if not found:
            if len(self._data) > MOST_HEAD_BYTES:
                raise Malformed("its head has no end")
            return False
        first, *lines = head.split(b"\r\n")
        words = first.split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise Malformed("its first line is none of HTTP/1")
        status = int(words[1])
        self._data = rest
        if status < 200:
            return bool(rest)
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        said = fields.get(b"connection", b"").lower()
        self.keeps = b"close" not in said and (words[0] != b"HTTP/1.0" or b"keep-alive" in said)
        self.status = status
        self._chunked = b"chunked" in fields.get(b"transfer-encoding", b"").lower()
        length = fields.get(b"content-length")
        if status in BODILESS:
            self.whole, self._chunked = True, False
            if rest:
                raise Malformed("a body where there is none")
        elif not self._chunked:
            if length is not None and not length.isdigit():
                raise Malformed("its length is no number")
            self._left = int(length) if length is not None else None
        return True

    def _chunks(self) -> None:
        """Walk over the chunks that are there."""
        while True:
            if self._left:
                taken = min(self._left, len(self._data))
                self._left -= taken
                self._data = self._data[taken:]
                if self._left:
                    return
            line, found, rest = self._data.partition(b"\r\n")
            if not found:
                if len(self._data) > MOST_LINE_BYTES:
                    raise Malformed("a chunk's length has no end")
                return
            self._data = rest
            if self._trailers:
                if not line:
                    self.whole = True
                    if rest:
                        raise Malformed("bytes after the last chunk")
                    return
                continue
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError as error:
                raise Malformed("a chunk's length is no number") from error
            self._trailers = size == 0
            self._left = size + 2 if size else 0
