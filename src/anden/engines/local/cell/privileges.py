"""Giving up what a process does not need. Standard library only."""

import ctypes
import grp
import os
import pwd

NET_ADMIN = 12
"""CAP_NET_ADMIN."""
_VERSION_3 = 0x20080522
_KEEP, _NO_NEW = 8, 38
"""PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS."""
_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def become_nobody(*keeping: int) -> None:
    """Be `nobody` for good, with these capabilities and no others; call it before the process has other threads.
    Raises OSError, KeyError."""
    user, group = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid
    _checked(_libc.prctl(_KEEP, 1, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    mask = sum(1 << one for one in keeping)
    data = (_Data * 2)(_Data(mask, mask, 0), _Data(0, 0, 0))
    _checked(_libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), data), "capset")
    _checked(_libc.prctl(_NO_NEW, 1, 0, 0, 0), "prctl")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
