"""Numbers of the system calls that confined code may not make, for the machines that are known."""

from __future__ import annotations

from dataclasses import dataclass

_SHARED = {
    **{"pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427},
    **{"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433},
    **{"pidfd_open": 434, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443},
    **{"memfd_secret": 447, "process_mrelease": 448, "cachestat": 451, "fchmodat2": 452, "statmount": 457},
    **{"listmount": 458, "lsm_set_self_attr": 460, "setxattrat": 463, "getxattrat": 464, "listxattrat": 465},
    **{"removexattrat": 466, "open_tree_attr": 467, "file_getattr": 468, "file_setattr": 469},
}
"""Calls that are so new that all machines number them alike."""

_X86_64 = {
    # Sockets.
    **{"socket": 41, "connect": 42, "accept": 43, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47},
    **{"shutdown": 48, "bind": 49, "listen": 50, "getsockname": 51, "getpeername": 52, "socketpair": 53},
    **{"setsockopt": 54, "getsockopt": 55, "accept4": 288, "recvmmsg": 299, "sendmmsg": 307},
    # Programs and processes.
    **{"execve": 59, "execveat": 322, "fork": 57, "vfork": 58},
    **{"kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297},
    **{"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312},
    # Mounts and namespaces.
    **{"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308},
    # Keys, programs in the kernel, memory that others see.
    **{"add_key": 248, "request_key": 249, "keyctl": 250, "bpf": 321, "perf_event_open": 298},
    **{"userfaultfd": 323, "memfd_create": 319, "vmsplice": 278},
    **{"shmget": 29, "shmat": 30, "shmctl": 31, "shmdt": 67, "semget": 64, "semop": 65, "semctl": 66},
    **{"semtimedop": 220, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "mq_open": 240},
    **{"mq_unlink": 241, "mq_timedsend": 242, "mq_timedreceive": 243, "mq_notify": 244, "mq_getsetattr": 245},
    # Modules and the machine.
    **{"create_module": 174, "init_module": 175, "delete_module": 176, "finit_module": 313, "kexec_load": 246},
    **{"kexec_file_load": 320, "reboot": 169, "swapon": 167, "swapoff": 168, "sethostname": 170},
    **{"setdomainname": 171, "acct": 163, "quotactl": 179, "syslog": 103, "iopl": 172, "ioperm": 173},
    **{"personality": 135, "ustat": 136, "sysfs": 139, "uselib": 134, "vhangup": 153, "modify_ldt": 154},
    **{"nfsservctl": 180, "lookup_dcookie": 212, "sync": 162, "syncfs": 306},
    # Who one is.
    **{"setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114, "setgroups": 116, "setresuid": 117},
    **{"setresgid": 119, "setfsuid": 122, "setfsgid": 123, "capset": 126},
    # Files: Landlock does not know these.
    **{"name_to_handle_at": 303, "open_by_handle_at": 304, "chmod": 90, "fchmod": 91, "fchmodat": 268},
    **{"chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "utime": 132, "utimes": 235},
    **{"futimesat": 261, "utimensat": 280, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190},
    **{"getxattr": 191, "lgetxattr": 192, "fgetxattr": 193, "listxattr": 194, "llistxattr": 195},
    **{"flistxattr": 196, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199},
    **{"symlink": 88, "symlinkat": 266, "link": 86, "linkat": 265, "mknod": 133, "mknodat": 259},
    **{"inotify_init": 253, "inotify_add_watch": 254, "inotify_init1": 294, "fanotify_init": 300},
    **{"fanotify_mark": 301, "mincore": 27, "preadv2": 327, "pwritev2": 328},
    # Clocks and scheduling.
    **{"clock_settime": 227, "clock_adjtime": 305, "adjtimex": 159, "settimeofday": 164},
    **{"sched_setscheduler": 144, "sched_setparam": 142, "sched_setaffinity": 203, "sched_setattr": 314},
    **{"setpriority": 141, "ioprio_set": 251, "migrate_pages": 256, "move_pages": 279},
}

_AARCH64 = {
    **{"socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203},
    **{"getsockname": 204, "getpeername": 205, "sendto": 206, "recvfrom": 207, "setsockopt": 208},
    **{"getsockopt": 209, "shutdown": 210, "sendmsg": 211, "recvmsg": 212, "accept4": 242, "recvmmsg": 243},
    **{"sendmmsg": 269, "execve": 221, "execveat": 281},
    **{"kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240},
    **{"ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272},
    **{"mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268},
    **{"add_key": 217, "request_key": 218, "keyctl": 219, "bpf": 280, "perf_event_open": 241},
    **{"userfaultfd": 282, "memfd_create": 279, "vmsplice": 75},
    **{"shmget": 194, "shmctl": 195, "shmat": 196, "shmdt": 197, "semget": 190, "semctl": 191},
    **{"semtimedop": 192, "semop": 193, "msgget": 186, "msgctl": 187, "msgrcv": 188, "msgsnd": 189},
    **{"mq_open": 180, "mq_unlink": 181, "mq_timedsend": 182, "mq_timedreceive": 183, "mq_notify": 184},
    **{"mq_getsetattr": 185, "init_module": 105, "delete_module": 106, "finit_module": 273},
    **{"kexec_load": 104, "kexec_file_load": 294, "reboot": 142, "swapon": 224, "swapoff": 225},
    **{"sethostname": 161, "setdomainname": 162, "acct": 89, "quotactl": 60, "syslog": 116},
    **{"personality": 92, "vhangup": 58, "lookup_dcookie": 18, "sync": 81, "syncfs": 267},
    **{"setuid": 146, "setgid": 144, "setreuid": 145, "setregid": 143, "setgroups": 159, "setresuid": 147},
    **{"setresgid": 149, "setfsuid": 151, "setfsgid": 152, "capset": 91},
    **{"name_to_handle_at": 264, "open_by_handle_at": 265, "fchmod": 52, "fchmodat": 53, "fchownat": 54},
    **{"fchown": 55, "utimensat": 88, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "getxattr": 8},
    **{"lgetxattr": 9, "fgetxattr": 10, "listxattr": 11, "llistxattr": 12, "flistxattr": 13},
    **{"removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "symlinkat": 36, "linkat": 37},
    **{"mknodat": 33, "inotify_init1": 26, "inotify_add_watch": 27, "fanotify_init": 262},
    **{"fanotify_mark": 263, "mincore": 232, "preadv2": 286, "pwritev2": 287},
    **{"clock_settime": 112, "clock_adjtime": 266, "adjtimex": 171, "settimeofday": 170},
    **{"sched_setparam": 118, "sched_setscheduler": 119, "sched_setaffinity": 122, "sched_setattr": 274},
    **{"setpriority": 140, "ioprio_set": 30, "migrate_pages": 238, "move_pages": 239},
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a filter must know of a kind of processor."""

    audit: int
    """``AUDIT_ARCH_*`` of its native calls."""
    refused: dict[str, int]
    """Calls that always fail with EPERM."""
    clone: int
    ioctl: int
    fcntl: int
    prctl: int
    prlimit: int
    foreign_from: int | None
    """Numbers from here on belong to another ABI of the same processor (x32)."""


CLONE3 = 435
NEWEST = 470
"""Calls above this number were not known when the list was written: they do not exist for confined code."""

MACHINES = {
    "x86_64": Machine(0xC000003E, {**_X86_64, **_SHARED}, 56, 16, 72, 157, 302, 0x40000000),
    "aarch64": Machine(0xC00000B7, {**_AARCH64, **_SHARED}, 220, 29, 25, 167, 261, None),
}
"""As ``uname -m`` names them. On any other, code cannot be confined."""
