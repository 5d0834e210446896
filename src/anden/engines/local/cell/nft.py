"""libnftables in this process: a text is one transaction."""

import ctypes
import threading
from typing import Any

from anden.model.problem import Problem, Problems

LIBRARY = "libnftables.so.1"
_ERROR_LIMIT = 600
"""Characters of nftables' complaint that a problem carries."""
_JSON = 1 << 4
"""NFT_CTX_OUTPUT_JSON."""
_lock = threading.Lock()


def run(commands: str, *, json: bool = False) -> str:
    """Give `commands` to nftables as one transaction; what it printed, as JSON when asked for. Raises Problems when it
    refuses."""
    with _lock:
        session = Session(json=json)
        try:
            return session.run(commands)
        finally:
            session.close()


class Session:
    """A connection to the nftables of the network namespace that the thread is in when this is made, wherever it moves
    later. For one thread at a time."""

    def __init__(self, *, json: bool = False) -> None:
        """Raises Problems when the library is not there."""
        self._library = _library()
        self._context = ctypes.c_void_p(self._library.nft_ctx_new(0))
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)
        if json:
            self._library.nft_ctx_output_set_flags(self._context, _JSON)

    def run(self, commands: str) -> str:
        """As the function of this name."""
        refused = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        said: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
        printed: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        return _checked(refused, said, printed)

    def close(self) -> None:
        """End it."""
        self._library.nft_ctx_free(self._context)


def _checked(refused: int, said: bytes, printed: bytes) -> str:
    if refused:
        raise Problems(
            Problem(
                "firewall",
                "nftables refused the ruleset",
                said.decode(errors="replace").strip()[:_ERROR_LIMIT],
                "Nothing was changed. `anden doctor` says whether this kernel has what the firewall needs.",
            )
        )
    return printed.decode(errors="replace")


def _library() -> Any:
    """The library, loaded once by the dynamic linker. Raises Problems when it is not installed."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise Problems(
            Problem("firewall", f"{LIBRARY} cannot be loaded", str(error), "Install the package `nftables`.")
        ) from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    library.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    return library
