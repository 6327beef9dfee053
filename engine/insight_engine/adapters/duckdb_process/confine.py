"""What a DuckDB process gives up at its start: writing, other programs, the network, unbounded memory.

A seccomp filter is taken on without any privilege and cannot be laid down again. Where the kernel has none
(or has another architecture than the two listed) the limits and DuckDB's own settings still hold.
"""

import ctypes
import errno
import os
import resource
import struct
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_SET_MODE_FILTER: Final = 1
_SECCOMP_FILTER_FLAG_TSYNC: Final = 1
_CLONE_THREAD: Final = 0x10000
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32: Final = 0x40000000
OPEN_FILES: Final = 256
HEADROOM_BYTES: Final = 512 * 1024 * 1024
"""What Python, Arrow and thread stacks may take beside DuckDB's own limit."""

_SHARED: Final = {"io_uring_setup": 425, "pidfd_send_signal": 424, "pidfd_open": 434, "pidfd_getfd": 438}
_DENIED: Final = {
    "x86_64": _SHARED
    | {"socket": 41, "connect": 42, "socketpair": 53, "bind": 49, "listen": 50, "fork": 57, "vfork": 58}
    | {"execve": 59, "execveat": 322, "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129}
    | {"truncate": 76, "ftruncate": 77, "rename": 82, "renameat": 264, "renameat2": 316, "creat": 85}
    | {"mkdir": 83, "mkdirat": 258, "rmdir": 84, "unlink": 87, "unlinkat": 263, "link": 86, "linkat": 265}
    | {"symlink": 88, "symlinkat": 266, "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92}
    | {"fchown": 93, "lchown": 94, "fchownat": 260, "mknod": 133, "mknodat": 259, "utimensat": 280}
    | {"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "perf_event_open": 298}
    | {"mount": 165, "umount2": 166, "unshare": 272, "setns": 308, "bpf": 321, "userfaultfd": 323}
    | {"add_key": 248, "request_key": 249, "keyctl": 250, "mq_open": 240, "rt_tgsigqueueinfo": 297},
    "aarch64": _SHARED
    | {"socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "connect": 203, "execve": 221}
    | {"execveat": 281, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138}
    | {"truncate": 45, "ftruncate": 46, "renameat": 38, "renameat2": 276, "mkdirat": 34, "unlinkat": 35}
    | {"linkat": 37, "symlinkat": 36, "fchmod": 52, "fchmodat": 53, "fchown": 55, "fchownat": 54}
    | {"mknodat": 33, "utimensat": 88, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271}
    | {"perf_event_open": 241, "mount": 40, "umount2": 39, "unshare": 97, "setns": 268, "bpf": 280}
    | {"userfaultfd": 282, "add_key": 217, "request_key": 218, "keyctl": 219, "mq_open": 180}
    | {"rt_tgsigqueueinfo": 240},
}
_AUDIT: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_CLONE: Final = {"x86_64": 56, "aarch64": 220}
_OPENING: Final = {"x86_64": {2: 1, 257: 2}, "aarch64": {56: 2}}
"""Calls that open a file, and which of their arguments holds the flags."""
_NOT_THERE: Final = (435, 437)
"""clone3 and openat2 hide their flags behind a pointer; C libraries fall back to the older calls."""


def confine(memory_bytes: int) -> bool:
    """Give it all up for good; False when the kernel would not take the system call filter."""
    limits = {
        resource.RLIMIT_DATA: memory_bytes + HEADROOM_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for which, wanted in limits.items():
        _, hard = resource.getrlimit(which)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (most, most))
    _first_to_go()
    return _filter_calls()


def limit_cpu(seconds: float) -> None:
    """End this process once it has computed that much longer, should nobody else end it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def _first_to_go() -> None:
    """Be what the kernel ends first when memory runs out, not the worker."""
    try:
        with open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - a file of the kernel
            score.write("1000")
    except OSError:
        return


def _filter_calls() -> bool:
    machine = os.uname().machine
    if machine not in _DENIED:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    code = b"".join(_program(machine))
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(kept))
    # All threads take it on, those that libraries have started at their import too.
    done = libc.syscall(_SECCOMP[machine], _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, program)
    return bool(done == 0)


def _program(machine: str) -> list[bytes]:
    """The filter: each check falls through to the next, the last lets pass."""
    refuse = _instruction(_RETURN, _ERRNO | errno.EPERM)
    allow = _instruction(_RETURN, _ALLOW)
    lines = [_instruction(_LOAD, _ARCHITECTURE), _instruction(_EQUAL, _AUDIT[machine], yes=1), refuse]
    lines += [_instruction(_LOAD, _NUMBER), _instruction(_ABOVE, _X32, no=1), refuse]
    for number in _DENIED[machine].values():
        lines += [_instruction(_EQUAL, number, no=1), refuse]
    for number in _NOT_THERE:
        lines += [_instruction(_EQUAL, number, no=1), _instruction(_RETURN, _ERRNO | errno.ENOSYS)]
    lines += _by_flags(_CLONE[machine], 0, _CLONE_THREAD, allow, refuse)
    for number, argument in _OPENING[machine].items():
        lines += _by_flags(number, argument, _WRITING, refuse, allow)
    return [*lines, allow]


def _by_flags(number: int, argument: int, flags: int, some: bytes, none: bytes) -> list[bytes]:
    """What to do with one call when any of the flags is set in an argument, and when none is."""
    return [
        _instruction(_EQUAL, number, no=4),
        _instruction(_LOAD, _ARGUMENTS + 8 * argument),
        _instruction(_ANY_BIT, flags, no=1),
        some,
        none,
    ]


def _instruction(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One BPF instruction; `yes` and `no` are how many to skip."""
    return struct.pack("=HBBI", code, yes, no, value)
