"""No pixel of a user leaves the machine before somebody agreed, for each server and source."""

import socket

import numpy as np
import pytest
from scripted_server import Answer, words

from napari_s1omni.endpoint import configuration
from napari_s1omni.endpoint.configuration import Endpoint
from napari_s1omni.endpoint.consent import EVERY_SOURCE, Consents
from napari_s1omni.endpoint.protocol import MADE_HERE, Picture, Turn
from napari_s1omni.endpoint.server import ServerModel
from napari_s1omni.errors import ConsentMissing, JobError

SEEN = np.zeros((8, 8, 3), np.uint8)


def about(source):
    return [Turn.of("user", Picture(SEEN, source), "How many?")]


@pytest.fixture
def remote(serve, monkeypatch):
    """A server that counts as one on another machine."""
    server, model = serve(Answer(words("23")), model="seer-1")
    monkeypatch.setattr(configuration, "is_loopback", lambda host: False)
    return server, model


def test_the_first_picture_of_a_source_needs_a_consent(remote):
    server, model = remote
    with pytest.raises(
        ConsentMissing, match=r"1 picture of /scans/a\.tif would leave this computer for 127\.0\.0\.1"
    ) as error:
        model.complete(about("/scans/a.tif"))
    assert error.value.exit_code == 77
    assert error.value.facts["sources"] == ("/scans/a.tif",)
    assert not server.requests, "nothing was sent, not even a question about the models"
    assert model.complete([Turn.of("user", "No picture.")]).text == "23"
    assert model.complete(about(MADE_HERE)).text == "23"
    model.consents.give(model.endpoint, "/scans/a.tif")
    assert model.complete(about("/scans/a.tif")).text == "23"
    with pytest.raises(ConsentMissing, match=r"b\.tif"):
        model.complete([*about("/scans/a.tif"), *about("/scans/b.tif")])
    again = ServerModel(model.endpoint)
    assert again.complete(about("/scans/a.tif")).text == "23", "it is remembered"


def test_a_consent_belongs_to_a_server_and_can_end(remote):
    _, model = remote
    consents, endpoint = Consents(), model.endpoint
    moved = endpoint.replace(url="https://elsewhere.example/v1")
    consents.give(endpoint, EVERY_SOURCE)
    assert Consents().has(endpoint, "/any.tif")
    assert not Consents().has(moved, "/any.tif"), "the same name, another server"
    consents.withdraw(endpoint)
    assert not Consents().has(endpoint, "/any.tif")
    consents.give(endpoint, "/once.tif", keep=False)
    assert consents.has(endpoint, "/once.tif")
    assert not Consents().has(endpoint, "/once.tif")


def test_a_damaged_list_of_consents_sends_nothing(remote, config):
    server, model = remote
    config.mkdir()
    (config / "consents.json").write_text("{")
    with pytest.raises(JobError, match=r"consents\.json"):
        model.complete(about("/scans/a.tif"))
    assert not server.requests


def test_this_machine_needs_none(serve):
    _, model = serve(Answer(words("23")))
    assert model.complete(about("/scans/a.tif")).text == "23"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("gpu.localhost", True),
        ("10.0.0.7", False),
        ("0.0.0.0", False),
        ("localhost.evil.example", False),
        (socket.gethostname() or "host", False),
    ],
)
def test_what_this_machine_is(host, local):
    endpoint = Endpoint(name="lab", url=f"http://{host}:9200/v1")
    assert endpoint.is_local is local
    assert bool(endpoint.warnings) is not local
    assert not Endpoint(name="lab", url="https://api.example/v1").warnings
