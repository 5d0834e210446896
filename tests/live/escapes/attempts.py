"""The list: what is tried, and why it must come to nothing. `docs/escapes.md` is made from it."""

from dataclasses import dataclass

PASSED = "passed"
OWN = "own"
"""A throwaway world: root's, with namespaces of its own for mounts, processes, network, names and IPC."""
HOST = "host"
"""The machine itself, for what changes nothing."""
CELL = "cell"
"""The mounts and the network of the cell, in which its supervisor lives."""


@dataclass(frozen=True)
class Attempt:
    """One attempt to get out, or to get hold of what is not the instance's.

    tries: in a few words. why: why it must fail. refused: the outcomes that count as refusals.
    program: Python for tests/live/escapes/runner.py. where: the world in which the same program is run as root, to show
    that it is well-formed. outside: what comes of it there. lacking: outcomes there that mean that this machine has no
    such thing, so that nothing is shown.
    users: who tries it inside.
    """

    name: str
    tries: str
    why: str
    refused: tuple[str, ...]
    program: str
    where: str = OWN
    outside: tuple[str, ...] = (PASSED,)
    lacking: tuple[str, ...] = ("ENOSYS",)
    users: tuple[str, ...] = ("1000", "0")


EPERM = ("EPERM",)
NO_CAPABILITIES = "it has no capability, and system calls that need one are not on the list"
NOT_LISTED = "the system call is taken off the list"

ATTEMPTS = (
    # Mounts.
    Attempt(
        "mount", "mount a tmpfs", "a mount can hide or replace files, and change flags", EPERM,
        "call('mount', b'none', at['scratch'].encode(), b'tmpfs', 0, None)",
    ),
    Attempt(
        "bind", "bind a folder over another", "the same", EPERM,
        "call('mount', b'/proc', at['scratch'].encode(), None, 0x1000, None)",
    ),
    Attempt(
        "remount", "remount its root writable", "the root is read-only, so that nothing stays after a restart", EPERM,
        "call('mount', None, b'/', None, 0x20 | 0x1000, None)",
    ),
    Attempt(
        "umount", "unmount what masks /proc", "what is masked would be seen", EPERM, "call('umount2', b'/proc', 2)",
    ),
    Attempt("fsopen", "the new way to mount", NOT_LISTED, EPERM, "call('fsopen', b'tmpfs', 0)"),
    Attempt("open_tree", "a detached copy of a mount", NOT_LISTED, EPERM, "call('open_tree', -100, b'/', 1)"),
    Attempt(
        "mount_setattr", "take a mount's flags away", NOT_LISTED, EPERM,
        "call('mount_setattr', -100, b'/proc', 0, (ctypes.c_uint64 * 4)(0, 0x2, 0, 0), 32)",
    ),
    Attempt(
        "pivot_root", "exchange its root", "the root is what it is shut into", EPERM,
        "call('pivot_root', b'/', b'/')", outside=("EBUSY", "EINVAL"),
    ),
    Attempt(
        "chroot", "a second root inside, to leave it by an open folder", NO_CAPABILITIES, EPERM,
        "fd = os.open('/', 0); os.chroot(at['scratch']); os.fchdir(fd)",
    ),
    # Namespaces.
    Attempt(
        "unshare user", "a user namespace, in which it has every capability", NOT_LISTED, EPERM,
        "call('unshare', 0x10000000)", lacking=("ENOSYS", "ENOSPC"),
    ),
    Attempt("unshare mount", "a mount namespace", NOT_LISTED, EPERM, "call('unshare', 0x20000)"),
    Attempt(
        "clone user", "a process in a new user namespace", "clone is allowed without such flags only", ("ENOSYS",),
        "call('clone', 0x10000000 | 17, 0, 0, 0, 0) or os._exit(0)", lacking=("ENOSYS", "ENOSPC"),
    ),
    Attempt(
        "clone3 user", "the same by clone3, whose flags no list can see", "clone3 is said not to exist", ("ENOSYS",),
        "call('clone3', (ctypes.c_uint64 * 8)(0x10000000, 0, 0, 0, 17), 64) or os._exit(0)", lacking=("ENOSPC",),
    ),
    Attempt(
        "setns", "enter a namespace by its file", NOT_LISTED, EPERM,
        "call('setns', os.open('/proc/self/ns/net', 0), 0)",
    ),
    # The machine's files.
    Attempt(
        "root of 1", "read a file of the machine by /proc/1/root", "process 1 is its own, with its own root",
        ("ENOENT",), "open('/proc/1/root' + at['marker']).read()",
    ),
    Attempt(
        "root of others", "read it by any process's root or folder", "it sees its own processes only", ("ENOENT",), """
import glob
last = FileNotFoundError(2, 'nobody')
for root in glob.glob('/proc/[0-9]*/root') + glob.glob('/proc/[0-9]*/cwd'):
    try:
        open(root + at['marker']).read()
        break
    except OSError as error:
        last = error if error.errno != 20 else last
else:
    raise last
""", where=HOST,
    ),
    Attempt(
        "file handle", "open a file by its handle, past every path", NO_CAPABILITIES, EPERM, """
handle = (ctypes.c_uint32 * 6)(16, 1, 2, 0, 2, 0)
call('open_by_handle_at', os.open('/', 0), handle, 0)
""", outside=(PASSED, "ESTALE", "EOPNOTSUPP", "EINVAL"),
    ),
    Attempt(
        "sysrq", "the keyboard's emergency keys", "/proc/sysrq-trigger is mounted read-only",
        ("EACCES", "EROFS", "ENOENT"), "os.open('/proc/sysrq-trigger', os.O_WRONLY)", where=HOST, lacking=("ENOENT",),
    ),
    Attempt(
        "core_pattern", "have the machine run a program at the next crash", "/proc/sys is mounted read-only",
        ("EACCES", "EROFS"), "os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)",
    ),
    Attempt(
        "kcore", "read the machine's memory", "/proc/kcore is masked",
        ("EACCES", "ENOENT", "EPERM", "held: it is empty"),
        "os.read(os.open('/proc/kcore', 0), 4) == b'' and (_ for _ in ()).throw(Held('it is empty'))",
        where=HOST, lacking=("ENOENT", "EPERM"),
    ),
    Attempt(
        "cgroup", "write to a file of the control groups, release_agent among them",
        "they are mounted read-only, and belong to the machine's root", ("EACCES", "EROFS", "EPERM"), """
last, found = None, 0
for folder, folders, files in os.walk('/sys/fs/cgroup'):
    folders[:] = folders[:3] if folder.count('/') < 6 else []
    for name in {'cgroup.procs', 'release_agent', 'notify_on_release', 'memory.max', 'cpu.max', 'tasks'} & set(files):
        try:
            os.close(os.open(f'{folder}/{name}', os.O_WRONLY))
            found += 1
        except OSError as error:
            last = error
if not found:
    raise last or Held('there is none')
""", where=HOST,
    ),
    Attempt(
        "mknod", "make the device of the machine's memory", NO_CAPABILITIES, EPERM,
        "os.mknod(at['scratch'] + '/mem', 0o20600, os.makedev(1, 1))",
    ),
    Attempt(
        "kmsg", "open the kernel's messages", "its /dev holds a handful of harmless devices", ("ENOENT",),
        "os.open('/dev/kmsg', os.O_RDONLY)", where=HOST, lacking=("ENOENT",),
    ),
    Attempt(
        "mem", "open the machine's memory or disks", "its /dev holds a handful of harmless devices", ("ENOENT",), """
import glob
known = ['/dev/mem', '/dev/port', '/dev/kvm', '/dev/fuse', '/dev/net/tun']
for name in [*known, *glob.glob('/dev/[svn][dv]*[a-z0-9]'), *glob.glob('/dev/loop*')]:
    try:
        os.close(os.open(name, os.O_RDONLY))
        break
    except OSError:
        pass
else:
    raise FileNotFoundError(2, 'none')
""", where=HOST, lacking=("ENOENT",),
    ),
    # The kernel.
    Attempt(
        "init_module", "load a kernel module", NO_CAPABILITIES, EPERM, "call('init_module', b'nothing!', 8, b'')",
        outside=("ENOEXEC", "EBADMSG"),
    ),
    Attempt(
        "finit_module", "load one from a file", NO_CAPABILITIES, EPERM, "call('finit_module', -1, b'', 0)",
        outside=("EBADF",),
    ),
    Attempt(
        "delete_module", "remove one", NO_CAPABILITIES, EPERM, "call('delete_module', b'anden_none', 0x800)",
        outside=("ENOENT",),
    ),
    Attempt(
        "bpf", "make a map for a program in the kernel", NOT_LISTED, EPERM,
        "call('bpf', 0, (ctypes.c_uint32 * 32)(2, 4, 4, 1), 128)",
    ),
    Attempt(
        "perf_event_open", "measure the kernel", NOT_LISTED, EPERM,
        "call('perf_event_open', (ctypes.c_uint32 * 28)(1, 112), 0, -1, -1, 0)",
        lacking=("ENOSYS", "ENOENT", "EOPNOTSUPP"),
    ),
    Attempt(
        "userfaultfd", "stop the kernel in the middle of a copy", NOT_LISTED, EPERM, "call('userfaultfd', 0)",
    ),
    Attempt(
        "io_uring", "system calls past the list", NOT_LISTED, EPERM,
        "call('io_uring_setup', 1, (ctypes.c_uint32 * 30)())",
    ),
    Attempt(
        "keyctl", "reach for keyrings", "no namespace divides them", EPERM, "call('keyctl', 0, -3, 1)",
    ),
    Attempt(
        "add_key", "leave a key", "no namespace divides them", EPERM,
        "call('add_key', b'user', b'anden-escape', b'x', 1, -2)",
    ),
    Attempt(
        "request_key", "ask for a key", "no namespace divides them", EPERM,
        "call('request_key', b'user', b'anden-nobody', None, -2)", outside=("ENOKEY",),
    ),
    Attempt("syslog", "read the kernel's log", NO_CAPABILITIES, EPERM, "call('syslog', 10, None, 0)"),
    Attempt(
        "kexec", "load another kernel", NO_CAPABILITIES, EPERM, "call('kexec_load', 0, 17, None, 0)",
        outside=("EINVAL",),
    ),
    Attempt(
        "reboot", "reboot", NO_CAPABILITIES, EPERM,
        "call('reboot', 0xfee1dead - (1 << 32), 672274793, 0x01234567 if at['inside'] else 0, None)",
        outside=("EINVAL",),
    ),
    Attempt(
        "swapon", "swap to a file of its own", NO_CAPABILITIES, EPERM, "call('swapon', b'/nowhere', 0)",
        outside=("ENOENT",),
    ),
    Attempt(
        "settimeofday", "set the machine's clock", "all share one clock", EPERM,
        "call('settimeofday', None, (ctypes.c_int * 2)(0, 0))", where=HOST,
    ),
    Attempt("acct", "have the kernel write a file", NO_CAPABILITIES, EPERM, "call('acct', None)"),
    Attempt(
        "personality", "take the randomness out of addresses", "the list knows the harmless values only", ("ENOSYS",),
        "call('personality', 0x0040000)",
    ),
    Attempt(
        "sethostname", "another host name", NO_CAPABILITIES, EPERM, "call('sethostname', b'other', 5)",
    ),
    # More rights.
    Attempt(
        "capset", "give itself CAP_SYS_ADMIN", "it has none to give", EPERM, """
call('capset', (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(1 << 21, 1 << 21, 0, 0, 0, 0))
""",
    ),
    Attempt("setuid", "become root", "it has no capability", EPERM, "os.setuid(0)", users=("1000",)),
    Attempt(
        "setuid program", "run a set-user-id program of root's", "no_new_privs: the bit has no effect",
        ("held: user 1000",), """
import subprocess
done = subprocess.run(
    [at['suid'], '-S', '-E', '-c', 'import os; print(os.geteuid())'], capture_output=True, text=True,
    user=1000 if os.geteuid() == 0 else None,
)
user = done.stdout.strip()
assert user.isdigit(), done
if user != '0':
    raise Held(f'user {user}')
""", where=HOST, users=("1000",),
    ),
    Attempt(
        "exec from tmpfs", "run a program that it wrote", "writable places are mounted noexec", ("EACCES",), """
place = at['scratch'] + '/program'
with open(place, 'w') as file:
    file.write('#!/bin/sh\\n')
os.chmod(place, 0o755)
import subprocess
subprocess.run([place], check=True)
""",
    ),
    Attempt(
        "map from tmpfs", "map what it wrote as a program", "writable places are mounted noexec", EPERM, """
import mmap
with open(at['scratch'] + '/code', 'w+b') as file:
    file.write(bytes(4096))
    file.flush()
    mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
""",
    ),
    Attempt(
        "realtime", "a priority above everybody", NO_CAPABILITIES, EPERM,
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))", where=HOST,
    ),
    # Other processes.
    Attempt(
        "ptrace", "trace a process of another instance", "it sees its own processes only", ("ESRCH", "EPERM"),
        "call('ptrace', 16, at['other'], 0, 0)", where=HOST,
    ),
    Attempt(
        "memory of others", "read the memory of another instance's process", "it sees its own processes only",
        ("ESRCH", "EPERM"), """
buffer = ctypes.create_string_buffer(8)
local = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 8)
call('process_vm_readv', at['other'], local, 1, (ctypes.c_uint64 * 2)(at['readable'], 8), 1, 0)
""", where=HOST,
    ),
    Attempt(
        "signal", "end a process of another instance", "it sees its own processes only", ("ESRCH",),
        "os.kill(at['other'], 0)", where=HOST,
    ),
    Attempt(
        "pidfd", "hold on to it by a descriptor", "it sees its own processes only", ("ESRCH",),
        "call('pidfd_open', at['other'], 0)", where=HOST,
    ),
    Attempt(
        "processes", "find processes of others in /proc", "it sees its own processes only",
        ("held: none but its own",), """
import glob
own, others = os.environ.get('ANDEN_INSTANCE', ''), []
for environ in glob.glob('/proc/[0-9]*/environ'):
    try:
        found = [each for each in open(environ, 'rb').read().split(b'\\0') if each.startswith(b'ANDEN_INSTANCE=')]
    except OSError:
        continue
    others += [each for each in found if each != f'ANDEN_INSTANCE={own}'.encode()]
if not others:
    raise Held('none but its own')
""", where=HOST,
    ),
    # Sockets and networks.
    Attempt(
        "raw socket", "make packets by hand", NO_CAPABILITIES, EPERM,
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)",
    ),
    Attempt(
        "packet socket", "read the wire", "no family but Unix, IPv4, IPv6 and netlink", ("ENOSYS",),
        "socket.socket(17, socket.SOCK_RAW, 0x300)", lacking=("EAFNOSUPPORT",),
    ),
    Attempt(
        "vsock", "speak to the machine that this one runs on", "no namespace divides AF_VSOCK", ("ENOSYS",),
        "socket.socket(40, socket.SOCK_STREAM)", lacking=("EAFNOSUPPORT",),
    ),
    Attempt(
        "kernel crypto", "reach into the kernel by AF_ALG", "no family but Unix, IPv4, IPv6 and netlink", ("ENOSYS",),
        "socket.socket(38, socket.SOCK_SEQPACKET)", lacking=("EAFNOSUPPORT",),
    ),
    Attempt(
        "audit socket", "read the kernel's audit", "netlink's audit is not on the list", ("ENOSYS",),
        "socket.socket(16, socket.SOCK_RAW, 9)", lacking=("EPROTONOSUPPORT",),
    ),
    Attempt(
        "another address", "give itself another address", NO_CAPABILITIES, EPERM, """
import struct
address = bytes([203, 0, 113, 77])
body = struct.pack('=BBBBI', 2, 32, 0, 0, 1) + struct.pack('=HH4sHH4s', 8, 1, address, 8, 2, address)
with socket.socket(16, socket.SOCK_RAW, 0) as netlink:
    netlink.send(struct.pack('=IHHII', 16 + len(body), 20, 0x605, 1, 0) + body)
    code = struct.unpack_from('=i', netlink.recv(4096), 16)[0]
if code:
    raise OSError(-code, 'RTM_NEWADDR')
""",
    ),
    Attempt(
        "spoofed source", "send as somebody else", NO_CAPABILITIES, EPERM,
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).setsockopt(0, 19, 1)",
    ),
    Attempt(
        "packet mark", "mark its packets as the firewall marks others'", NO_CAPABILITIES, EPERM,
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).setsockopt(socket.SOL_SOCKET, 36, 1)",
    ),
    Attempt(
        "host's abstract socket", "an abstract Unix socket of the machine", "they belong to a network namespace",
        ("ECONNREFUSED",), "abstract(at['host_abstract'])", where=HOST,
    ),
    Attempt(
        "cell's abstract socket", "an abstract Unix socket of the cell", "they belong to a network namespace",
        ("ECONNREFUSED",), "abstract(at['cell_abstract'])", where=CELL,
    ),
    Attempt(
        "supervisor's socket", "the socket that commands the cell", "the cell's files are not mounted inside",
        ("ENOENT",), "path('/run/anden/cell/supervisor.sock')", where=CELL, outside=(PASSED, "EPROTOTYPE"),
    ),
    Attempt(
        "init's socket", "the socket of the cell's init", "the cell's files are not mounted inside",
        ("ENOENT",), "path('/run/anden/init.sock')", where=CELL, outside=(PASSED, "EPROTOTYPE"),
    ),
    Attempt(
        "balancer's socket", "the runtime socket of the balancer", "the cell's files are not mounted inside",
        ("ENOENT",), """
import glob, stat
last = FileNotFoundError(2, 'none')
for each in glob.glob('/run/anden/**/balancer*', recursive=True):
    if stat.S_ISSOCK(os.stat(each).st_mode):
        try:
            path(each)
            break
        except OSError as error:
            last = error
else:
    raise last
""", where=CELL,
    ),
    Attempt(
        "host's loopback", "a service on the machine's loopback", "its loopback is its own", ("ECONNREFUSED",),
        "connect('127.0.0.1', at['host_port'])", where=HOST,
    ),
    Attempt(
        "hub", "the cell's own services, at its gateway's address", "the cell answers nobody but where it is declared",
        ("ETIMEDOUT",), "connect('169.254.1.1', at['cell_port'])", where=CELL,
    ),
    Attempt(
        "metadata", "the cloud's metadata and its credentials, at 169.254.169.254",
        "nothing that is not declared leaves", ("ETIMEDOUT",), "connect('169.254.169.254', 80)",
    ),
)  # fmt: skip
