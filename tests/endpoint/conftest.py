"""A config folder of the test, and servers that answer as it says."""

import pytest
from scripted_server import ScriptedServer

from napari_s1omni.endpoint.configuration import Endpoint
from napari_s1omni.endpoint.server import ServerModel


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("S1OMNI_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def serve():
    """Start a server with some answers; returns it and its model."""
    servers = []

    def start(*answers, models=None, **fields):
        server = ScriptedServer(*answers, **({} if models is None else {"models": models}))
        servers.append(server)
        endpoint = Endpoint(name="lab", url=server.url, **{"seconds": 20, "silence": 20, **fields})
        return server, ServerModel(endpoint, pause=0.01)

    yield start
    for server in servers:
        server.close()
