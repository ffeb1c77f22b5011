"""Runs programs like a deployment: as another user, without capabilities, with a read-only root
directory, with only the loopback network, and with a filter of system calls.

    sandbox.py hold SETTINGS                        keeps namespaces until its input ends
    sandbox.py enter PID RESTRICTIONS COMMAND...    runs a command in them

This needs no privileges if the kernel allows user namespaces. SETTINGS and RESTRICTIONS are JSON;
`Settings` and `Restrictions` document them.
"""

import ctypes
import dataclasses
import errno
import fcntl
import json
import os
import pathlib
import resource
import socket
import struct
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)

# From linux/sched.h, linux/mount.h, linux/prctl.h.
NEW_NAMESPACES = {
    "cgroup": 0x02000000, "ipc": 0x08000000, "mnt": 0x00020000, "net": 0x40000000,
    "pid": 0x20000000, "user": 0x10000000, "uts": 0x04000000}
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 0x1000, 0x2000, 0x4000, 1 << 18
MOUNT_ATTR_RDONLY, AT_RECURSIVE, AT_FDCWD, SYS_MOUNT_SETATTR = 1, 0x8000, -100, 442
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38

# The content of each program's root directory; nothing else of the machine is visible.
SYSTEM = ("bin", "etc", "lib", "lib32", "lib64", "sbin", "usr", "proc", "sys")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


@dataclasses.dataclass
class Settings:
    """The settings that all programs share. Each program has `/usr/local/bin/weir`."""

    uid: int
    weir: str
    # Paths that programs read, in addition to system paths.
    shown: list = dataclasses.field(default_factory=list)
    # Writable directories, initially empty.
    volumes: list = dataclasses.field(default_factory=list)
    # Host names of 127.0.0.1.
    hosts: list = dataclasses.field(default_factory=list)
    # Files to mount at the given paths.
    files: dict = dataclasses.field(default_factory=dict)
    # Addresses to listen on; the sockets are sent over the Unix socket with the number `channel`.
    listen: list = dataclasses.field(default_factory=list)
    channel: int = -1


@dataclasses.dataclass
class Restrictions:
    """The restrictions of one program."""

    # Names of `FILTERS`, in load order.
    filters: list = dataclasses.field(default_factory=list)
    # System calls that the filter "only" allows.
    calls: list = dataclasses.field(default_factory=list)
    # Address families that the filter "families" allows.
    families: list = dataclasses.field(default_factory=list)
    open_files: int = 0
    umask: int = 0o022
    # Inherited sockets, which become files 3, 4, ...; LISTEN_PID is set with them.
    sockets: list = dataclasses.field(default_factory=list)


def checked(result, name):
    """The result of a function of libc; raises OSError if it failed."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def mount(source, target, kind=None, flags=0, options=None):
    def text(value):
        return None if value is None else os.fsencode(value)

    checked(libc.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags),
                       text(options)), f"mount {target}")


def bind(source, target):
    """Mounts a file or a directory at another path, which is created."""
    source, target = pathlib.Path(source), pathlib.Path(target)
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(source, target, None, MS_BIND | MS_REC)


def make_read_only(path):
    attributes = struct.pack("=QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    checked(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), AT_RECURSIVE, attributes,
                         len(attributes)), f"mount_setattr {path}")


def make_root(settings):
    """Replaces the root directory."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    root = pathlib.Path(tempfile.mkdtemp())
    mount("tmpfs", root, "tmpfs", 0, "mode=755")
    for name in SYSTEM:
        path = pathlib.Path("/", name)
        if path.is_symlink():
            (root / name).symlink_to(path.readlink())
        elif path.is_dir():
            bind(path, root / name)
    for name in DEVICES:
        bind(f"/dev/{name}", root / "dev" / name)
    for name, target in (("fd", "self/fd"), ("stdin", "self/fd/0"), ("stdout", "self/fd/1"),
                         ("stderr", "self/fd/2")):
        (root / "dev" / name).symlink_to(f"/proc/{target}")
    hosts = root / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in ["localhost", *settings.hosts]))
    bind(hosts, root / "etc/hosts")
    mount("tmpfs", root / "usr/local/bin", "tmpfs", 0, "mode=755")
    bind(settings.weir, root / "usr/local/bin/weir")
    for path, source in settings.files.items():
        bind(source, root / path.lstrip("/"))
    volumes = [root / path.lstrip("/") for path in ["/dev/shm", *settings.volumes]]
    shown = {path: root / path.lstrip("/") for path in settings.shown}
    for folder in [*volumes, *shown.values()]:
        folder.mkdir(parents=True, exist_ok=True)
    make_read_only(root)
    for volume in volumes:
        mount("tmpfs", volume, "tmpfs", 0, "mode=777")
    # A checkout below /tmp is inside a volume.
    for source, target in shown.items():
        bind(source, target)
        make_read_only(target)
    os.chdir(root)
    mount(".", "/", None, MS_MOVE)
    os.chroot(".")


def bring_up_loopback():
    with socket.socket() as any_socket:
        request = struct.pack("16sh", b"lo", 0x1)  # IFF_UP
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def hold(settings):
    uid, gid = os.geteuid(), os.getegid()
    checked(libc.unshare(sum(NEW_NAMESPACES[name] for name in ("user", "mnt", "net"))), "unshare")
    pathlib.Path("/proc/self/uid_map").write_text(f"{settings.uid} {uid} 1")
    pathlib.Path("/proc/self/setgroups").write_text("deny")
    pathlib.Path("/proc/self/gid_map").write_text(f"{settings.uid} {gid} 1")
    bring_up_loopback()
    make_root(settings)
    if settings.listen:
        with socket.socket(fileno=settings.channel) as channel:
            sockets = [socket.create_server(tuple(address), backlog=4096)
                       for address in settings.listen]
            socket.send_fds(channel, [b"sockets"], [one.fileno() for one in sockets])
    print("ready", flush=True)
    sys.stdin.read()


class Filter:
    """A filter of system calls by libseccomp."""

    ALLOW, KILL = 0x7FFF0000, 0x80000000
    ANY, EQUAL, MASKED_EQUAL, NOT_EQUAL = 0, 4, 7, 1

    class Comparison(ctypes.Structure):
        _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int),
                    ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]

    def __init__(self, default=ALLOW):
        self.library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.library.seccomp_init(ctypes.c_uint32(default)))
        self.default = default

    def add(self, action, name, *comparisons):
        """Adds a rule for a system call, if this machine has the call."""
        number = self.library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            return
        array = (self.Comparison * max(1, len(comparisons)))(*comparisons)
        code = self.library.seccomp_rule_add_array(
            self.context, ctypes.c_uint32(action), number, len(comparisons), array)
        # libseccomp rejects only calls of other architectures.
        if code not in (0, -errno.EOPNOTSUPP, -errno.EDOM):
            raise OSError(-code, f"seccomp rule for {name}: {os.strerror(-code)}")

    def refuse(self, code, name, *comparisons):
        self.add(0x00050000 | code, name, *comparisons)

    def load(self):
        code = self.library.seccomp_load(self.context)
        if code:
            raise OSError(-code, f"seccomp_load: {os.strerror(-code)}")


def refuse_namespaces(rules):
    for bit in NEW_NAMESPACES.values():
        rules.refuse(errno.EPERM, "clone", Filter.Comparison(0, Filter.MASKED_EQUAL, bit, bit))
        rules.refuse(errno.EPERM, "unshare", Filter.Comparison(0, Filter.MASKED_EQUAL, bit, bit))
    rules.refuse(errno.EPERM, "setns")
    # A filter cannot read its flags, because they are in memory.
    rules.refuse(errno.ENOSYS, "clone3")


def runtime_default(restrictions):
    """The system calls that Docker's and containerd's default profile denies without capabilities.

    Source: https://docs.docker.com/engine/security/seccomp/
    """
    rules = Filter()
    for name in """
        acct add_key bpf clock_adjtime clock_settime create_module delete_module finit_module
        fanotify_init fsconfig fsmount fsopen fspick get_kernel_syms get_mempolicy init_module
        io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load
        keyctl lookup_dcookie mbind mount mount_setattr move_mount move_pages nfsservctl
        open_by_handle_at open_tree perf_event_open pivot_root process_vm_readv process_vm_writev
        query_module quotactl quotactl_fd reboot request_key set_mempolicy settimeofday
        sethostname setdomainname stime swapoff swapon sysfs _sysctl syslog umount umount2 uselib
        userfaultfd ustat vhangup vm86 vm86old chroot
        """.split():
        rules.refuse(errno.EPERM, name)
    for family in (38, 40):  # AF_ALG, AF_VSOCK
        rules.refuse(errno.EPERM, "socket", Filter.Comparison(0, Filter.EQUAL, family, 0))
    refuse_namespaces(rules)
    rules.load()


def namespaces(restrictions):
    """RestrictNamespaces=yes"""
    rules = Filter()
    refuse_namespaces(rules)
    rules.load()


def families(restrictions):
    """RestrictAddressFamilies="""
    rules = Filter()
    left = {getattr(socket, name) for name in restrictions.families}
    for family in set(range(46)) - left:
        rules.refuse(errno.EAFNOSUPPORT, "socket", Filter.Comparison(0, Filter.EQUAL, family, 0))
    rules.load()


def real_time(restrictions):
    """RestrictRealtime=yes: SCHED_FIFO, SCHED_RR and SCHED_DEADLINE."""
    rules = Filter()
    for policy in (1, 2, 6):
        rules.refuse(errno.EPERM, "sched_setscheduler",
                     Filter.Comparison(1, Filter.EQUAL, policy, 0))
    rules.load()


def set_id_modes(restrictions):
    """RestrictSUIDSGID=yes"""
    rules = Filter()
    for name, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1),
                           ("mkdirat", 2), ("mknod", 1), ("mknodat", 2), ("creat", 1)):
        for bit in (0o4000, 0o2000):
            rules.refuse(errno.EPERM, name,
                         Filter.Comparison(argument, Filter.MASKED_EQUAL, bit, bit))
    rules.refuse(errno.ENOSYS, "openat2")
    rules.load()


def personality(restrictions):
    """LockPersonality=yes"""
    rules = Filter()
    rules.refuse(errno.EPERM, "personality", Filter.Comparison(0, Filter.NOT_EQUAL, 0, 0))
    rules.load()


def only(restrictions):
    """SystemCallFilter=: any other call ends the process."""
    rules = Filter(Filter.KILL)
    for name in restrictions.calls:
        rules.add(Filter.ALLOW, name)
    rules.load()


FILTERS = {one.__name__: one for one in (
    runtime_default, namespaces, families, real_time, set_id_modes, personality, only)}


def enter(pid, restrictions, command):
    # All namespaces are opened before the process enters the first one.
    kinds = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt", "net")]
    for file in kinds:
        checked(libc.setns(file, 0), "setns")
        os.close(file)
    os.chdir("/")
    environment = dict(os.environ)
    if restrictions.sockets:
        # A descriptor may have the number of another one's target.
        copies = [fcntl.fcntl(file, fcntl.F_DUPFD, 100) for file in restrictions.sockets]
        for place, file in enumerate(copies):
            os.dup2(file, 3 + place)
            os.close(file)
        os.closerange(3 + len(copies), 100)
        environment["LISTEN_PID"] = str(os.getpid())
    if restrictions.open_files:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = min(hard, restrictions.open_files)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    os.umask(restrictions.umask)
    last = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        checked(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "prctl")
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    for name in restrictions.filters:
        FILTERS[name](restrictions)
    os.execve(command[0], command, environment)


def main(kind, *arguments):
    if kind == "hold":
        hold(Settings(**json.loads(arguments[0])))
    else:
        pid, restrictions, *command = arguments
        enter(pid, Restrictions(**json.loads(restrictions)), command)


if __name__ == "__main__":
    main(*sys.argv[1:])
