"""49 attempts to get out of the sandbox. Each prints BROKE where it succeeds; P holds what the attacker was told."""

LIBC = """
import ctypes, os, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    got = libc.syscall(number, *words)
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got
"""
WIRE = """
import os, struct, json
_requests = view.__self__
def raw(data):
    while data:
        data = data[os.write(_requests._wire._outgoing, data):]
def forge(header, payload=b""):
    text = json.dumps(header).encode()
    raw(struct.pack("<II", len(text), len(payload)) + text + payload)
"""
"""What code in the worker can reach: all of it, the pipe included."""

NATIVE = {
    "x86_64": {
        "socket": "bf02000000be0100000031d2b8290000000f05c3",
        "int80": "53b867010000bb02000000b90100000031d2cd8048985bc3",
        "x32": "bf02000000be0100000031d2b8290000400f05c3",
    }
}
"""Machine code that opens a socket: by the usual call, and by those of two other ABIs."""

CODE = {
    "read_key": "open(P['key']).read(); print('BROKE')",
    "read_passwd": "open('/etc/passwd').read(); print('BROKE')",
    "list_folders": """
import os
for folder in ("/", P["home"], "/tmp", "/root", "/home", "/proc", "/sys"):
    try:
        names = os.listdir(folder)
    except OSError:
        continue
    # In a namespace of its own, / may be listed: it holds what was bound.
    if set(names) & {"root", "boot", "var", "opt", os.path.basename(P["key"]), P["in_tmp"], "self"}:
        print("BROKE", folder)
""",
    "own_environment": "import os\nif P['secret'] in str(dict(os.environ)): print('BROKE')",
    "host_environment": """
import glob
for path in [f"/proc/{P['pid']}/environ", "/proc/1/environ", "/proc/self/environ", *glob.glob("/proc/*/environ")]:
    try:
        if P["secret"].encode() in open(path, "rb").read(): print("BROKE", path)
    except OSError: pass
""",
    "host_process": """
import os
for path in (f"/proc/{P['pid']}/status", f"/proc/{P['pid']}/cmdline", f"/proc/{P['pid']}/maps"):
    try:
        if open(path).read(): print("BROKE", path)
    except OSError: pass
""",
    "ptrace": LIBC
    + """
number = {"x86_64": 101, "aarch64": 117}[P["machine"]]
call(number, 16, P["pid"], 0, 0)
print("BROKE")
os.waitpid(P["pid"], 0x40000000)
call(number, 17, P["pid"], 0, 0)
""",
    "host_memory": LIBC
    + """
import struct
buffer = ctypes.create_string_buffer(P["length"])
mine = struct.pack("QQ", ctypes.addressof(buffer), P["length"])
theirs = struct.pack("QQ", P["address"], P["length"])
reading = {"x86_64": 310, "aarch64": 270}[P["machine"]]
for number in (reading, reading + 1):
    try:
        call(number, P["pid"], mine, 1, theirs, 1, 0); print("BROKE", number)
    except OSError: pass
with open(f"/proc/{P['pid']}/mem", "r+b", buffering=0) as file:
    file.seek(P["address"]); file.read(4); print("BROKE")
""",
    "tcp": "import socket\nsocket.create_connection(('127.0.0.1', P['port']), 2); print('BROKE')",
    "unix_path": "import socket\nsocket.socket(socket.AF_UNIX).connect(P['unix']); print('BROKE')",
    "unix_abstract": "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0' + P['abstract']); print('BROKE')",
    "udp": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9)); print('BROKE')",
    "odd_sockets": """
import socket
for family, kind, protocol in ((socket.AF_NETLINK, socket.SOCK_RAW, 0), (socket.AF_INET, socket.SOCK_RAW, 1),
                               (40, socket.SOCK_STREAM, 0), (socket.AF_PACKET, socket.SOCK_RAW, 3)):
    try:
        socket.socket(family, kind, protocol).close(); print("BROKE", family)
    except OSError: pass
try:
    socket.socketpair(); print("BROKE pair")
except OSError: pass
""",
    "shell": "import os\nif os.system('true') == 0: print('BROKE')\nimport subprocess\nsubprocess.run(['/bin/true']); print('BROKE')",
    "execve": LIBC
    + """
import sys
sys.stdout.flush()
# A program that says so itself, since nothing of this one is left.
words = (ctypes.c_char_p * 4)(b"/bin/sh", b"-c", b"echo BROKE", None)
libc.execve(b"/bin/sh", words, None)
print(os.strerror(ctypes.get_errno()))
""",
    "signal_parent": """
import os
for pid in (os.getppid(), P["pid"]):
    try:
        if pid: os.kill(pid, 0); print("BROKE", pid)
    except OSError: pass
os.close(os.pidfd_open(P["pid"])); print("BROKE pidfd")
""",
    # Signal 0 asks for the permission and harms nobody.
    "kill_all": "import os\nos.kill(-1, 0); print('BROKE')",
    "user_namespace": LIBC + "call({'x86_64': 272, 'aarch64': 97}[P['machine']], 0x10000000); print('BROKE')",
    "mount": LIBC
    + """
try: call({"x86_64": 272, "aarch64": 97}[P["machine"]], 0x10000000 | 0x00020000)
except OSError: pass
if libc.mount(b"none", os.getcwd().encode(), b"tmpfs", 0, None) == 0: print("BROKE")
""",
    "io_uring": LIBC + "call(425, 4, ctypes.create_string_buffer(256)); print('BROKE')",
    "keyctl": LIBC + "call({'x86_64': 250, 'aarch64': 219}[P['machine']], 0, -3, 1); print('BROKE')",
    "userfaultfd": LIBC + "call({'x86_64': 323, 'aarch64': 282}[P['machine']], 1); print('BROKE')",
    "shared_memory": LIBC
    + """
try: os.memfd_create("x"); print("BROKE memfd")
except OSError: pass
call({"x86_64": 29, "aarch64": 194}[P["machine"]], 0, 4096, 0o600); print("BROKE")
""",
    "tiocsti": """
import fcntl, os
def push(descriptor):
    fcntl.ioctl(descriptor, 0x5412, b"x"); print("BROKE")
for descriptor in (0, 1, 2):
    try: push(descriptor)
    except OSError: pass
os.close(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
print("BROKE: a terminal can be opened")
""",
    "inherited_descriptors": """
import os
for descriptor in range(3, 200):
    try:
        if P["secret"].encode() in os.pread(descriptor, 1000, 0): print("BROKE", descriptor)
    except OSError: pass
""",
    "plant_packages": """
import os
for folder in P["packages"]:
    path = os.path.join(folder, "s1omni-planted.txt")
    try:
        open(path, "w").close(); os.unlink(path); print("BROKE", folder)
    except OSError: pass
""",
    "plant_shared": """
import os
for folder in ("/dev/shm", "/tmp", "/var/tmp", P["home"]):
    path = os.path.join(folder, "s1omni-planted.txt")
    try:
        open(path, "w").close(); os.unlink(path); print("BROKE", folder)
    except OSError: pass
""",
    "symlink_out": "import os\nos.symlink(P['key'], 'link'); print(open('link').read()); os.unlink('link'); print('BROKE')",
    "hardlink_out": "import os\nos.link(P['key'], P['beside']); print(open(P['beside']).read()); os.unlink(P['beside']); print('BROKE')",
    "input_array": "images[0][:] = 0\nprint('written')",
    "forged_regions": """
for words in ((-1, 0, 4, 4), (0, 0, 10**9, 10**9), (2**70, 0, 1, 1), (0.5, 0, 4, 4), (True, 0, 4, 4), ("../x", 0, 4, 4), (0, 0, 0, 0)):
    try:
        print("BROKE", words, region(*words).shape)
    except (RequestRefused, ValueError) as error:
        print("refused", str(error)[:60])
""",
    "pickle": WIRE
    + """
import pickle
class Evil:
    def __reduce__(self): return (open, (P["witness"], "w"))
data = pickle.dumps(Evil())
raw(struct.pack("<II", len(data), 0) + data)
import time; time.sleep(9)
""",
    "huge_header": WIRE + "raw(struct.pack('<II', 2**32 - 1, 2**32 - 1) + b'x' * 100)\nimport time; time.sleep(9)",
    "nested_header": WIRE + "raw(struct.pack('<II', 60000, 0) + b'[' * 60000)\nimport time; time.sleep(9)",
    "flood_text": "piece = 'x' * 2**20\nfor _ in range(10**6): print(piece)",
    "flood_pictures": WIRE
    + """
for i in range(4000):
    forge({"kind": "image", "cell": _requests.cell, "shape": [1024, 1024, 3], "dtype": "u1", "name": "x"}, bytes(3 * 2**20))
print("BROKE")
""",
    "giant_picture": """
import numpy as np
show(np.broadcast_to(np.zeros((1, 1), np.uint8), (60000, 60000)))
print("BROKE")
""",
    "memory": """
import numpy as np
try:
    np.empty(3 * 2**30 // 8); print("BROKE")
except MemoryError: print("held")
kept = []
try:
    for _ in range(40): kept.append(np.empty(64 * 2**20, np.uint8))
    print("BROKE")
except MemoryError: del kept; print("held")
""",
    "disk": """
import os, time
with open("large", "wb") as file:
    try:
        os.posix_fallocate(file.fileno(), 0, 100 * 2**20); print("BROKE one")
    except OSError: pass
os.unlink("large")
held = []
for i in range(12):
    file = open(f"file{i}", "wb")
    os.posix_fallocate(file.fileno(), 0, 60 * 2**20)
    if i % 2:
        # Without a name, a file still takes its room.
        os.unlink(f"file{i}"); held.append(file)
    time.sleep(0.1)
print("BROKE many")
""",
    "fork_bomb": """
import os
for _ in range(40):
    if os.fork() == 0:
        import time; time.sleep(0.5); os._exit(0)
print("BROKE")
""",
    "thread_bomb": """
import threading, time
threading.stack_size(65536)
stop = threading.Event()
for _ in range(400): threading.Thread(target=stop.wait, args=(3,), daemon=True).start()
time.sleep(0.5)
print("BROKE", threading.active_count())
stop.set()
""",
    "loops": """
import signal, time
signal.setitimer(signal.ITIMER_REAL, 0)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
began = time.monotonic()
while time.monotonic() < began + P["patience"]:
    try:
        import re
        re.match("(a+)+$", "a" * 22 + "b")
    except BaseException: pass
print("BROKE")
""",
    "crash": """
import ctypes, os
if P["crash"] == "segfault":
    ctypes.string_at(0)
os.close(view.__self__._wire._outgoing)
import time; time.sleep(60)
""",
    "limits_and_native": LIBC
    + """
import resource
for which in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    try:
        now = resource.getrlimit(which)
        resource.setrlimit(which, (resource.RLIM_INFINITY if which != resource.RLIMIT_NOFILE else 1000,) * 2)
        if now != resource.getrlimit(which): print("BROKE", which)
    except (ValueError, OSError): pass
# Code of our own in memory that can be run: it asks for a socket, by the calls of another processor, too.
import mmap
for name, code in P["native"].items():
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(bytes.fromhex(code))
    run = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    got = run()
    if got >= 0: print("BROKE", name, got)
""",
    # Five more.
    "stat_paths": "import os\nprint(os.stat(P['key']).st_size)\nprint('BROKE')",
    "timing": LIBC
    + """
import mmap, numpy as np
# Has the user lately used this library, or this file? What is cached says so, and so do times.
path = P["shared"]
with open(path, "rb") as file:
    size = os.fstat(file.fileno()).st_size
    mapped = mmap.mmap(file.fileno(), 0, prot=1)
    address = np.frombuffer(mapped, np.uint8).ctypes.data
    residency = ctypes.create_string_buffer(size // 4096 + 1)
    try: call({"x86_64": 27, "aarch64": 232}[P["machine"]], ctypes.c_void_p(address), ctypes.c_size_t(size), residency); print("BROKE mincore")
    except OSError: pass
    try: os.preadv(file.fileno(), [bytearray(10)], 0, os.RWF_NOWAIT); print("BROKE preadv2")
    except OSError: pass
    try: call(451, file.fileno(), (ctypes.c_uint64 * 2)(0, size), (ctypes.c_uint64 * 5)(), 0); print("BROKE cachestat")
    except OSError: pass
try: libc.inotify_init() < 0 or print("BROKE inotify")
except OSError: pass
if P["times"]:
    print(os.stat(P["key"]).st_atime_ns); print("BROKE")
""",
    "symlink_in_scratch": """
import os
os.symlink("/etc/passwd", "picture.png")
print("BROKE")
""",
    "handles": """
import os
held = []
try:
    while len(held) < 600: held.append(os.open(P["shared"], os.O_RDONLY))
    print("BROKE")
except OSError as error:
    print(error)
for one in held: os.close(one)
""",
    "imitated_frames": WIRE
    + """
print(json.dumps({"kind": "done", "cell": _requests.cell, "status": "ok", "error": "", "seconds": 0, "threads": 1}))
header = json.dumps({"kind": "note", "cell": _requests.cell, "name": "n", "value": 312, "unit": ""}).encode()
print((struct.pack("<II", len(header), 0) + header).decode("latin-1"))
""",
}
FIVE = ("stat_paths", "timing", "symlink_in_scratch", "handles", "imitated_frames")
VISIBLE_WITHOUT_BUBBLEWRAP = ("stat_paths",)
"""Landlock does not restrict stat: existence, size and times of a path that was guessed can be seen."""
CONTROLS_OF_THEIR_OWN = (
    *("input_array", "forged_regions", "pickle", "huge_header", "nested_header", "flood_text", "flood_pictures"),
    *("giant_picture", "imitated_frames", "crash"),
)
