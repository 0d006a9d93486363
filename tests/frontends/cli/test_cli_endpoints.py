"""``s1omni endpoints`` keeps servers by name, never their keys."""

import json

import pytest
from scripted_server import Answer, ScriptedServer, whole

KEY = "sk-lab-0123456789abcdef"


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("S1OMNI_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("LAB_KEY", KEY)
    return tmp_path / "config"


def test_an_endpoint_is_added_listed_tested_and_removed(s1omni, config):
    server = ScriptedServer(Answer(body=whole("y")))
    try:
        added = s1omni("endpoints", "add", "lab", server.url, "--key-env", "LAB_KEY", "--temperature", 0.6)
        assert added.code == 0, added.err
        assert not added.err
        (listed,) = json.loads(s1omni("endpoints", "list", "--json").out)
        assert (listed["name"], listed["key_env"], listed["temperature"]) == ("lab", "LAB_KEY", 0.6)
        assert "stay on this computer" in s1omni("endpoints", "list").out
        tested = json.loads(s1omni("endpoints", "test", "lab", "--json").out)
        assert (tested["model"], tested["images"], tested["context"]) == ("seer-1", True, 32768)
        assert "32,768 tokens" in s1omni("endpoints", "test", "lab").out
        assert server.requests[0][1]["authorization"] == f"Bearer {KEY}"
        assert KEY not in "".join(file.read_text() for file in config.iterdir())
        again = s1omni("endpoints", "add", "lab", server.url)
        assert (again.code, "--replace" in again.err) == (2, True)
        assert s1omni("endpoints", "remove", "lab").code == 0
        assert json.loads(s1omni("endpoints", "list", "--json").out) == []
    finally:
        server.close()


def test_what_is_wrong_is_said(s1omni):
    s1omni("endpoints", "add", "lab", "http://localhost:1/v1")
    gone = s1omni("endpoints", "test", "lab")
    assert (gone.code, "cannot be reached" in gone.err) == (69, True)
    near = s1omni("endpoints", "test", "lap")
    assert (near.code, "Did you mean 'lab'?" in near.err) == (69, True)
    open_air = s1omni("endpoints", "add", "far", "http://10.0.0.7/v1")
    assert (open_air.code, "not encrypted" in open_air.err) == (0, True)
    for words in (
        ["x", "localhost:9200"],
        ["x", "http://user:secretpassword@host/v1"],
        ["x", f"http://host/v1?key={KEY}"],
        ["x", "http://host/v1", "--key-env", KEY],
        ["reference", "http://host/v1"],
        ["a b", "http://host/v1"],
    ):
        ended = s1omni("endpoints", "add", *words)
        assert ended.code == 2, words
        assert KEY not in ended.err
        assert "secretpassword" not in ended.err


def test_a_key_in_the_file_is_refused_and_not_shown(s1omni, config):
    config.mkdir()
    (config / "endpoints.yaml").write_text(f"endpoints:\n- name: lab\n  url: http://localhost/v1\n  key: {KEY}\n")
    ended = s1omni("endpoints", "list")
    assert (ended.code, "unknown key 'key'" in ended.err, KEY in ended.err) == (2, True, False)
