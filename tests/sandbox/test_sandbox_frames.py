"""Frames: whatever comes from a confined process is a right frame or an error, in bounded memory and time."""

import contextlib
import json
import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.errors import SandboxError
from napari_s1omni.sandbox.frames import KINDS, BadFrame, Pipe, PipeClosed, checked
from napari_s1omni.sandbox.inside.wire import HEADER_LIMIT, PAYLOAD_LIMIT, Wire, pack
from napari_s1omni.sandbox.kernel import RequestRefused
from napari_s1omni.sandbox.requests import region_request, view_request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=4,
)
KIND = st.sampled_from([*KINDS, "call", "picture", ""])
KEYS = sorted({key for keys in KINDS.values() for key in keys} | {"cell", "request", "kind"})
HEADERS = st.builds(
    lambda kind, more: {"kind": kind, "cell": 1, **more},
    KIND,
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=10),
)


@contextlib.contextmanager
def connected():
    """A pipe of the host, and the descriptor that a confined process writes to."""
    incoming, theirs = os.pipe()
    ours, outgoing = os.pipe()
    try:
        yield Pipe(incoming, outgoing), theirs
    finally:
        for descriptor in (incoming, ours, outgoing):
            os.close(descriptor)
        with contextlib.suppress(OSError):
            os.close(theirs)


def read_all(data):
    """Send bytes and close; return the frames that came of them."""
    with connected() as (pipe, theirs):
        os.write(theirs, data[:60_000])
        os.close(theirs)
        frames = []
        with contextlib.suppress(SandboxError):
            while len(frames) < 100:
                frames.append(pipe.receive(1.0))
        return frames


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data):
    assert not read_all(data)


@settings(max_examples=60, deadline=None)
@given(HEADERS, st.binary(max_size=64), st.binary(max_size=16))
def test_random_headers_are_right_or_refused(header, payload, rest):
    text = json.dumps(header).encode()
    for frame in read_all(struct.pack("<II", len(text), len(payload)) + text + payload + rest):
        said, data = frame
        kind = said["request"] if said["kind"] == "call" else said["kind"]
        assert all(check(said[key]) for key, check in KINDS[kind].items())
        assert len(data) == len(payload)


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(dict.fromkeys(KINDS["view"], JSON)),
    st.fixed_dictionaries(dict.fromkeys(KINDS["region"], JSON)),
)
def test_random_requests_are_right_or_refused(view, region):
    with contextlib.suppress(RequestRefused):
        found = view_request(view)
        assert type(found.size) is int
        assert found.box is None or all(type(one) is int for one in found.box)
    with contextlib.suppress(RequestRefused):
        found = region_request(region)
        assert all(type(getattr(found, key)) is int for key in KINDS["region"])


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<II", HEADER_LIMIT + 1, 0),
        struct.pack("<II", 0, 0),
        struct.pack("<II", 60_000, 0) + b"[" * 60_000,
        struct.pack("<II", 8, 0) + b'{"a":1e9',
        pack({"kind": "image", "cell": 1, "shape": [4, 4], "dtype": "u1", "name": ""}, 17),
        pack({"kind": "image", "cell": 1, "shape": [65536, 65536], "dtype": "u1", "name": ""}, 9),
        pack({"kind": "image", "cell": 1, "shape": [4, 4], "dtype": "O", "name": ""}, 16),
        pack({"kind": "note", "cell": 1, "name": "n", "value": True, "unit": ""}, 0),
        pack({"kind": "note", "cell": 1, "name": "n" * 65, "value": 1, "unit": ""}, 0),
        pack({"kind": "region", "cell": 1, **dict.fromkeys(KINDS["region"], 0)}, 0),
        pack({"kind": "call", "cell": 1, "request": "done"}, 0),
        pack({"kind": "text", "cell": 1, "stream": "out", "text": "x"}, 3),
        pack({"kind": "text", "cell": 1, "stream": "out", "text": "x", "more": 1}, 0),
    ],
)
def test_wrong_frames(data):
    with connected() as (pipe, theirs):
        os.write(theirs, data)
        with pytest.raises(BadFrame):
            pipe.receive(1.0)


def test_a_large_payload_is_refused_before_memory_is_taken():
    header = json.dumps({"kind": "text", "cell": 1, "stream": "out", "text": "x"}).encode()
    with connected() as (pipe, theirs):
        os.write(theirs, struct.pack("<II", len(header), PAYLOAD_LIMIT + 1) + header)
        with pytest.raises(BadFrame, match="payload"):
            pipe.receive(1.0)


def test_numbers_that_are_none():
    for value in ("NaN", "1e999", "-Infinity", "true", '"1"'):
        with pytest.raises(BadFrame):
            checked(f'{{"kind":"note","cell":1,"name":"n","value":{value},"unit":""}}'.encode(), 0)


def test_a_frame_in_pieces_is_one_frame():
    data = pack({"kind": "text", "cell": 3, "stream": "err", "text": "pieces"}, 0)
    with connected() as (pipe, theirs):
        for i in range(len(data)):
            assert pipe.receive(0) is None
            os.write(theirs, data[i : i + 1])
        said, payload = pipe.receive(1.0)
        assert (said["text"], payload) == ("pieces", b"")
        os.close(theirs)
        with pytest.raises(PipeClosed):
            pipe.receive(1.0)


def test_a_reader_that_never_reads_is_given_up():
    with connected() as (pipe, _), pytest.raises(PipeClosed, match="does not read"):
        pipe.send({"kind": "reply"}, bytes(2**22), seconds=0.2)


def test_an_interruption_waits_for_the_end_of_a_frame():
    here, there = os.pipe()
    wire = Wire(here, there)
    with pytest.raises(KeyError):
        wire.interrupt(KeyError("now"))
    wire._busy = True
    wire.interrupt(KeyError("later"))
    with pytest.raises(KeyError, match="later"):
        wire.send({"kind": "text"})
    assert wire.receive()[0] == {"kind": "text"}
    os.close(here)
    os.close(there)
