"""Applies the firewall's ruleset to the hub, in one transaction, through libnftables in this process."""

import ctypes
import threading
from collections.abc import Collection
from ipaddress import IPv4Network
from typing import Any

from anden.engines.local.render import nftables
from anden.model.configuration import Configuration
from anden.model.problem import Problem, Problems

LIBRARY = "libnftables.so.1"
_ERROR_LIMIT = 600
"""Characters of nftables' complaint that a problem carries."""
_lock = threading.Lock()


def apply(configuration: Configuration, down: Collection[IPv4Network] = ()) -> None:
    """Replace the whole ruleset at once. What connection tracking knows goes on; `down` networks are cut off.

    Call it in the hub's network namespace. Raises Problems when nftables refuses; then nothing has changed.
    """
    run(nftables.ruleset(configuration, down))


def run(commands: str) -> str:
    """Give `commands` to nftables as one transaction; what it printed. Raises Problems when it refuses."""
    with _lock:
        library = _library()
        context = ctypes.c_void_p(library.nft_ctx_new(0))
        try:
            library.nft_ctx_buffer_output(context)
            library.nft_ctx_buffer_error(context)
            refused = library.nft_run_cmd_from_buffer(context, commands.encode())
            said: bytes = library.nft_ctx_get_error_buffer(context) or b""
            printed: bytes = library.nft_ctx_get_output_buffer(context) or b""
        finally:
            library.nft_ctx_free(context)
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
