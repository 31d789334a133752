"""What a process can be kept from doing, by the Linux kernel: pure system calls, nothing heavy is imported.

A model file is code of a kind: the native libraries that run it have had errors that let a file write where it liked.
So a process that is about to read one first gives up what it does not need. Each of these holds for good and for all
threads that are started later; a machine that lacks one says so in the report, and the work goes on without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import stat
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

OPEN = "open"
"""In a report: nothing keeps the process from it."""

_NO_NEW_PRIVILEGES = 38  # prctl
_CAPABILITIES_VERSION = 0x20080522  # capset, 64 bits in two words each of effective, permitted, inheritable
_FILE_CAPABILITIES = 0b1111  # chown and the three that pass over file permissions: root stays able to read
_NEW_USERS, _NEW_NETWORK = 0x10000000, 0x40000000  # unshare
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # Landlock's system calls, the same on every architecture
_VERSION_ONLY, _PATH_BENEATH = 1, 1

# Landlock's access rights by the version that brought them (linux/landlock.h).
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_TCP_RIGHTS_SINCE, _TCP_RIGHTS = 4, 0b11  # bind, connect
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract sockets, signals to processes outside
_READ = 1 << 2 | 1 << 3  # files, folders; not execute
_FOLDERS_ONLY = 1 << 3 | (1 << 13) - (1 << 4) | 1 << 13  # read, remove, make, refer

# What the interpreter, its libraries and their threads look up while they work.
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/sys", "/proc/self", "/proc/sys")
_SYSTEM_FILES = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_GPU_READ = ("/etc",)
_GPU_WRITE = ("/dev", "/proc", "/run")  # the driver opens its devices for writing, and names its threads in /proc


@dataclass(frozen=True)
class Confines:
    """What a contained process keeps.

    Attributes
    ----------
    read, write : tuple of str
        Files and folders, with all below them, beside the interpreter and its packages.
    memory : int or None
        Bytes of address space on top of what is in use; None sets no limit.
    gpu : bool
        Whether it may use a GPU, whose driver needs devices, and more address space than any limit allows.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    memory: int | None = None
    gpu: bool = False


def leave_network() -> str:
    """Move into a network of its own that has no devices; returns 'namespace', or 'open' where that is not allowed.

    Must be called before the process has a second thread. Other than Landlock's rules this also ends UDP.
    """
    if sys.platform != "linux":
        return OPEN
    user, group = os.getuid(), os.getgid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEW_NETWORK) == 0:  # for root; it keeps its rights over files
        return "namespace"
    if library.unshare(_NEW_USERS | _NEW_NETWORK) != 0:
        return OPEN
    with contextlib.suppress(OSError):  # without its own name it is `nobody`, which changes nothing here
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    return "namespace"


def contain(confines: Confines, network: str) -> dict[str, str]:
    """Give up everything but the confines, for good.

    Parameters
    ----------
    confines : Confines
        What is kept.
    network : str
        What `leave_network` returned.

    Returns
    -------
    dict of str to str
        What holds by `files`, `network`, `memory` and `privileges`: words, or 'open'. The same on every call on a
        machine.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    report = {"files": OPEN, "network": network, "memory": OPEN, "privileges": OPEN}
    if sys.platform != "linux":
        return report
    if confines.memory is not None and not confines.gpu:
        _limit_memory(confines.memory)
        report["memory"] = "limited"
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and _drop_capabilities(library):
        report["privileges"] = "fixed"
        version = _landlock(library, confines)
        if version:
            report["files"] = f"landlock {version}"
            if version >= _TCP_RIGHTS_SINCE and network == OPEN:
                report["network"] = "no tcp"
    return report


def shortcomings(report: dict[str, str]) -> list[str]:
    """Return in words what a report says is open; empty if all is shut that this machine's kernel could shut."""
    words = {
        "files": "files are not confined (the kernel offers no Landlock)",
        "network": "the network is open (neither a namespace nor Landlock's rules could be used)",
        "privileges": "privileges could not be fixed",
    }
    return [text for name, text in words.items() if report.get(name, OPEN) == OPEN]


def address_space() -> int:
    """Return the bytes of address space this process uses."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def machine_memory() -> int:
    """Return the bytes of memory of this machine, or of the control group that confines this process to less."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # 'max' is no number
            found.append(int(Path(name).read_text(encoding="ascii")))
    return min(found)


def _limit_memory(extra: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = address_space() + extra
    limit = min(value for value in (wanted, soft, hard) if value != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _drop_capabilities(library: ctypes.CDLL) -> bool:
    """Give up what root may do, but for its rights over files; others have nothing to give up."""
    header = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    held = ctypes.create_string_buffer(24)
    if library.capget(header, held) != 0:
        return False
    words = [word & (_FILE_CAPABILITIES if index < 3 else 0) for index, word in enumerate(struct.unpack("=6I", held))]
    return bool(library.capset(header, struct.pack("=6I", *words)) == 0)


def _landlock(library: ctypes.CDLL, confines: Confines) -> int:
    """Shut the file system but for the confines; returns Landlock's version, 0 where there is none."""
    version = int(library.syscall(_CREATE_RULESET, None, 0, _VERSION_ONLY))
    if version < 1:
        return 0
    handled = sum(right for since, right in _FILE_RIGHTS.items() if since <= version)
    tcp = _TCP_RIGHTS if version >= _TCP_RIGHTS_SINCE else 0
    scopes = _SCOPES if version >= _SCOPES_SINCE and not confines.gpu else 0
    attributes = struct.pack("<QQQ", handled, tcp, scopes)
    known = 24 if version >= _SCOPES_SINCE else 16 if version >= _TCP_RIGHTS_SINCE else 8
    rules = library.syscall(_CREATE_RULESET, attributes[:known], known, 0)
    if rules < 0:
        return 0
    try:
        gpu = confines.gpu
        reading = (*_SYSTEM, *_SYSTEM_FILES, *_interpreter(), *confines.read, *(_GPU_READ if gpu else ()))
        writing = (*confines.write, *(_GPU_WRITE if gpu else ()))
        _allow(library, rules, reading, _READ)
        _allow(library, rules, writing, handled & ~1)  # all but to execute
        _allow(library, rules, _DEVICES, _READ | handled & (1 << 1 | 1 << 14))  # read, write, truncate
        return version if library.syscall(_RESTRICT_SELF, rules, 0) == 0 else 0
    finally:
        os.close(rules)


def _allow(library: ctypes.CDLL, rules: int, paths: Iterable[str], rights: int) -> None:
    """Add rules for the paths that exist."""
    for path in dict.fromkeys(paths):
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            folder = stat.S_ISDIR(os.fstat(place).st_mode)
            rule = struct.pack("=Qi", rights if folder else rights & ~_FOLDERS_ONLY, place)
            library.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
        finally:
            os.close(place)


def _interpreter() -> list[str]:
    """Return where Python, its packages and their libraries lie; with `python -c` and `-m` the present folder too."""
    packages = [path for name, module in tuple(sys.modules.items()) if "." not in name for path in _folders_of(module)]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    caches = [os.environ.get("NUMBA_CACHE_DIR", ""), os.path.expanduser("~/.cache/numba")]
    found = [sys.prefix, sys.base_prefix, *sys.path, *packages, *libraries, *caches]
    return [path for path in found if path]


def _folders_of(module: object) -> list[str]:
    """Return the folders of a package, also of one that stands in none of `sys.path` (an editable install)."""
    try:
        return [str(path) for path in getattr(module, "__path__", ())]
    except Exception:  # some modules make their attributes up
        return []
