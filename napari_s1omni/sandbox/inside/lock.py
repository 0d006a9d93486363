"""Lock this process down: limits, no capabilities, Landlock, seccomp. There is no way back, and no part is optional."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
from typing import Any

from napari_s1omni.sandbox.inside.syscalls import CLONE3, MACHINES, NEWEST, Machine

_libc = ctypes.CDLL(None, use_errno=True)
_SET_PDEATHSIG, _SET_NO_NEW_PRIVS, _CAPBSET_DROP, _SET_SECUREBITS, _CAP_AMBIENT = 1, 38, 24, 28, 47
_NO_ROOT_LOCKED = 0b101111
"""Being root gives no capability, for good."""

# Landlock
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 1, 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14
_FILE_ONLY = _READ_FILE | _WRITE_FILE | _TRUNCATE
_REFER = 1 << 13
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Version of Landlock -> all rights on files that it controls."""
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
READ = _READ_FILE | _READ_DIR
"""No right to execute: shared libraries are only read."""
SCRATCH = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE | _REFER
"""No symbolic links, pipes, sockets or devices."""

# seccomp
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_SET_FILTER, _TSYNC = 1, 1
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_CLONE_THREAD = 0x00010000
_IOCTLS = (0x5412, 0x541C, 0x8901, 0x8902, 0x40086602)
"""TIOCSTI, TIOCLINUX, FIOSETOWN, SIOCSPGRP, FS_IOC_SETFLAGS."""
_FCNTLS = (8, 10, 15, 1024, 1026)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY: signals to others."""


class LockFailed(Exception):
    """A part of the confinement is missing here; its text says which."""


def lock(policy: dict[str, Any]) -> int:
    """Confine this process, which must have one thread, and return the version of Landlock.

    Parameters
    ----------
    policy : dict
        As :meth:`napari_s1omni.sandbox.policy.Confinement.to_worker` gives it.

    Raises
    ------
    LockFailed
        If any part cannot be had.
    """
    machine = MACHINES.get(policy["machine"])
    if machine is None:
        raise LockFailed(f"seccomp: no list of system calls for a {policy['machine']} processor")
    _prctl("no_new_privs", _SET_NO_NEW_PRIVS, 1)
    # If the host is killed, so is this process.
    _prctl("death signal", _SET_PDEATHSIG, signal.SIGKILL)
    set_limits(policy)
    drop_capabilities()
    version = restrict_files(policy["read"], policy["scratch"])
    filter_calls(policy["machine"], machine)
    return version


def set_limits(policy: dict[str, Any]) -> None:
    """Set the limits of this process, which nobody can raise again."""
    limits = {
        resource.RLIMIT_AS: policy["memory"],
        resource.RLIMIT_FSIZE: policy["file"],
        resource.RLIMIT_NOFILE: policy["handles"],
        resource.RLIMIT_STACK: policy["stack"],
        resource.RLIMIT_CPU: policy["cpu_seconds"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }
    if policy["threads"]:
        limits[resource.RLIMIT_NPROC] = policy["threads"]
    for which, value in limits.items():
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def drop_capabilities() -> None:
    """Give up every capability; for root this matters, for others it changes nothing."""
    for number in range(64):
        # Numbers that the kernel does not know, and users who have none, give an error.
        _libc.prctl(_CAPBSET_DROP, number, 0, 0, 0)
    _libc.prctl(_CAP_AMBIENT, 4, 0, 0, 0)
    _libc.prctl(_SET_SECUREBITS, _NO_ROOT_LOCKED, 0, 0, 0)
    header, data = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    if _libc.capset(header, data):
        raise LockFailed(f"capabilities could not be dropped: {os.strerror(ctypes.get_errno())}")
    held = ctypes.create_string_buffer(24)
    if _libc.capget(header, held) or any(held.raw):
        raise LockFailed("capabilities were not dropped")


def restrict_files(readable: list[str], scratch: str) -> int:
    """Allow reading of some folders and writing in one, nothing else; return the version of Landlock."""
    version = int(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1))
    if version < 1:
        raise LockFailed(f"Landlock: this kernel does not have it ({os.strerror(ctypes.get_errno())})")
    handled = _RIGHTS[min(version, max(_RIGHTS))]
    attributes = struct.pack(
        "<QQQ", handled, 0b11 if version >= _NETWORK_SINCE else 0, 0b11 if version >= _SCOPES_SINCE else 0
    )
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _NETWORK_SINCE else 8
    ruleset = int(_libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), 0))
    if ruleset < 0:
        raise LockFailed(f"Landlock: no set of rules ({os.strerror(ctypes.get_errno())})")
    for path, rights in [*((path, READ) for path in readable), (scratch, SCRATCH)]:
        _allow(ruleset, path, rights & handled)
    if _libc.syscall(_RESTRICT, ruleset, 0):
        raise LockFailed(f"Landlock: not applied ({os.strerror(ctypes.get_errno())})")
    os.close(ruleset)
    return version


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= _FILE_ONLY
        if _libc.syscall(_ADD, ruleset, 1, struct.pack("<Qi", rights, descriptor), 0):
            raise LockFailed(f"Landlock: no rule for {path} ({os.strerror(ctypes.get_errno())})")
    finally:
        os.close(descriptor)


def filter_calls(name: str, machine: Machine) -> None:
    """Refuse system calls from now on, in every thread."""
    code = program(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a count and a pointer, aligned.
    described = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    if _libc.syscall(_SECCOMP[name], _SET_FILTER, _TSYNC, described):
        raise LockFailed(f"seccomp: the filter was not accepted ({os.strerror(ctypes.get_errno())})")


def program(machine: Machine) -> bytes:
    """Return the filter as BPF: other processors' calls end the process, listed ones fail, all others pass."""
    lines = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, machine.audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    if machine.foreign_from is not None:
        lines += [(_AT_LEAST, 0, 1, machine.foreign_from), (_RETURN, 0, 0, _KILL)]
    lines += [(_AT_LEAST, 0, 1, NEWEST + 1), (_RETURN, 0, 0, _ENOSYS)]
    # glibc falls back to clone, whose flags can be read.
    lines += [(_EQUAL, 0, 1, CLONE3), (_RETURN, 0, 0, _ENOSYS)]
    for number in sorted(machine.refused.values()):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    # Threads are allowed, processes are not.
    lines += _when(machine.clone, 0, [(_ANY_BIT, 1, 0, _CLONE_THREAD), (_RETURN, 0, 0, _EPERM)])
    lines += _when(machine.ioctl, 1, _refuse(_IOCTLS))
    lines += _when(machine.fcntl, 1, _refuse(_FCNTLS))
    lines += _when(machine.prctl, 0, _refuse((_SET_PDEATHSIG,)))
    # Limits of other processes of the same user.
    lines += _when(machine.prlimit, 0, [(_EQUAL, 1, 0, 0), (_RETURN, 0, 0, _EPERM)])
    lines += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def _refuse(values: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    return [line for value in values for line in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _EPERM))]


def _when(number: int, argument: int, lines: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Apply some lines to one argument of one call (its lower 32 bits), and let the call pass otherwise."""
    inner = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), *lines, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(inner), number), *inner]


def _prctl(what: str, option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise LockFailed(f"{what}: {os.strerror(ctypes.get_errno())}")
