"""Who encrypts a link's packets here: the kernel, where it has ESP, or strongSwan's own library.

Asked by trying: a state is added in a network of its own, which ends with the try. Whether a kernel has ESP is said
nowhere: it may be built without, or its module may not be there.
"""

import os
import socket
import struct

from anden.engines.local.cell import netns
from anden.engines.local.render.strongswan import Dataplane

_NETLINK_XFRM = 6
_NEW_STATE = 0x10
"""XFRM_MSG_NEWSA (linux/xfrm.h)."""
_REQUEST_ACK = 0x1 | 0x4
_ERROR = 2
_ESP = socket.IPPROTO_ESP
_AEAD = 18
"""XFRMA_ALG_AEAD."""
_CIPHER = b"rfc4106(gcm(aes))"
_KEY_BYTES, _ICV_BITS = 36, 128
"""AES-256 and four bytes of salt."""
_FOREVER = b"\xff" * 32
"""The four limits of bytes and packets: none."""
_TIMEOUT_S = 5.0
_HEAD = struct.Struct("=IHHII")


def probe() -> Dataplane:
    """The kernel, if it takes a state of ESP with AES-GCM; else the library. Raises OSError where no network can be
    made."""
    return netns.apart(_tried)


def _tried() -> Dataplane:
    netns.unshare()
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_XFRM) as asked:
            asked.settimeout(_TIMEOUT_S)
            asked.send(_request())
            answer = asked.recv(4096)
    except OSError:
        return Dataplane.LIBIPSEC  # the kernel has no such socket, or does not answer
    kind = struct.unpack_from("=H", answer, 4)[0]
    code = struct.unpack_from("=i", answer, _HEAD.size)[0]
    return Dataplane.NETLINK if kind == _ERROR and code == 0 else Dataplane.LIBIPSEC


def _request() -> bytes:
    """One xfrm_usersa_info and its cipher, as linux/xfrm.h lays them out; the key is nobody's."""
    here, there = (socket.inet_aton(address).ljust(16, b"\0") for address in ("192.0.2.1", "192.0.2.2"))
    selector = bytes(40) + struct.pack("=HBBB3xiI", socket.AF_INET, 0, 0, 0, 0, 0)
    identity = there + struct.pack("!IB3x", 0x1000, _ESP)
    lifetimes = _FOREVER + bytes(32) + bytes(32)
    rest = bytes(12) + struct.pack("=IIHBBB7x", 0, 0, socket.AF_INET, 0, 0, 0)
    cipher = _CIPHER.ljust(64, b"\0") + struct.pack("=II", _KEY_BYTES * 8, _ICV_BITS) + os.urandom(_KEY_BYTES)
    attribute = struct.pack("=HH", 4 + len(cipher), _AEAD) + cipher
    body = selector + identity + here + lifetimes + rest + attribute
    return _HEAD.pack(_HEAD.size + len(body), _NEW_STATE, _REQUEST_ACK, 1, 0) + body
