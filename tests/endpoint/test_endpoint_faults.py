"""Every fault of an endpoint is an error with clear words and an exit code, and no message holds the key."""

import logging
import time
import traceback

import numpy as np
import pytest
from scripted_server import Answer, ScriptedServer, whole, words

from napari_s1omni import errors
from napari_s1omni.endpoint.configuration import Endpoint
from napari_s1omni.endpoint.protocol import MADE_HERE, Picture, Turn
from napari_s1omni.endpoint.server import ServerModel
from napari_s1omni.frontends.cli.main import EXIT_CODES

ASKED = [Turn.of("user", "How many?")]
KEY = "sk-lab-0123456789abcdef"


def refused(status, message, **headers):
    return Answer(status=status, body={"error": {"message": message}}, headers=headers)


CONTEXT = "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens"
FAULTS = {
    "wrong key": (refused(401, f"Incorrect API key provided: {KEY}"), errors.EndpointRefused, 77, "LAB_KEY"),
    "forbidden": (refused(403, "no"), errors.EndpointRefused, 77, "not accepted"),
    "no such model": (refused(404, "model x does not exist"), errors.EndpointUnavailable, 69, "endpoints test lab"),
    "context": (refused(400, CONTEXT), errors.ContextTooShort, 65, "most 4096 tokens"),
    "context of llama.cpp": (
        refused(400, "the request exceeds the available context size (4096 tokens), try increasing it"),
        errors.ContextTooShort,
        65,
        "does not fit",
    ),
    "no images": (refused(400, "seer-1 is not a multimodal model"), errors.ModelWithoutImages, 69, "no pictures"),
    "no images in llama.cpp": (
        refused(500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        errors.ModelWithoutImages,
        69,
        "--mmproj",
    ),
    "busy for long": (refused(429, "slow down", **{"retry-after": "4000"}), errors.EndpointBusy, 75, "4000 s"),
    "broken": (refused(500, "boom\x1b[31m"), errors.EndpointUnavailable, 69, "boom [31m"),
    "other refusal": (refused(400, "messages[0] is bad"), errors.EndpointRefused, 77, "messages[0]"),
    "no JSON": (Answer(body=b"<html>hello</html>"), errors.ReplyDamaged, 76, "no JSON object"),
    "other JSON": (Answer(body={"hello": 1}), errors.ReplyDamaged, 76, "no choices"),
    "odd choices": (Answer(body={"choices": [7]}), errors.ReplyDamaged, 76, "no object"),
    "deep JSON": (Answer(body=b"[" * 60000), errors.ReplyDamaged, 76, "no JSON object"),
    "cut": (Answer(words("1", "2")[:2], cut=True), errors.ReplyDamaged, 76, "ended within the reply"),
    "empty": (Answer([], cut=True), errors.ReplyDamaged, 76, "after 0 characters"),
    "other event": (Answer(["hello"]), errors.ReplyDamaged, 76, "no JSON object"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_with_an_exit_code(serve, monkeypatch, caplog, fault):
    answer, kind, code, word = FAULTS[fault]
    monkeypatch.setenv("LAB_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    server, model = serve(answer, key_env="LAB_KEY", model="seer-1")
    with pytest.raises(kind) as caught:
        model.complete(ASKED)
    error = caught.value
    assert type(error) is kind
    assert error.exit_code == code
    assert code in EXIT_CODES
    assert word in str(error)
    assert server.requests[0][1]["authorization"] == f"Bearer {KEY}"
    told = "".join(traceback.format_exception(error)) + repr(error.facts) + caplog.text + repr(vars(model.endpoint))
    assert KEY not in told
    assert "\x1b" not in told


def test_a_key_never_comes_back(serve, monkeypatch):
    monkeypatch.setenv("LAB_KEY", KEY)
    half = len(KEY) // 2
    _, model = serve(Answer(words(f"It is {KEY}, ", KEY[:half], KEY[half:])), key_env="LAB_KEY")
    reply = model.complete(ASKED)
    assert KEY not in repr(reply)
    assert reply.text == "It is [key], [key]"


def test_a_missing_key_is_named(serve):
    _, model = serve(refused(401, "no"), key_env="LAB_KEY_THAT_IS_UNSET")
    with pytest.raises(errors.EndpointRefused, match="LAB_KEY_THAT_IS_UNSET is unset or empty"):
        model.complete(ASKED)
    _, model = serve(refused(401, "no"))
    with pytest.raises(errors.EndpointRefused, match=r"No key is named.*--key-env"):
        model.complete(ASKED)


def test_no_server(serve):
    server = ScriptedServer(Answer())
    model = ServerModel(Endpoint(name="lab", url=server.url), pause=0.01)
    server.close()
    with pytest.raises(errors.EndpointUnavailable, match="cannot be reached") as error:
        model.complete(ASKED)
    assert error.value.exit_code == 69


def test_a_server_that_recovers_is_asked_again(serve):
    server, model = serve(
        refused(500, "starting"), refused(429, "wait", **{"retry-after": "0.01"}), Answer(words("23")), model="seer-1"
    )
    assert model.complete(ASKED).text == "23"
    assert len(server.asked) == 3
    server, model = serve(Answer([], cut=True), Answer(words("23")), model="seer-1")
    assert model.complete(ASKED).text == "23", "nothing was shown of the first"


def test_what_was_shown_is_not_asked_for_again(serve):
    server, model = serve(Answer(words("1", "2")[:2], cut=True), model="seer-1")
    with pytest.raises(errors.ReplyDamaged):
        model.complete(ASKED)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        (Answer(words("1"), before=5), {"seconds": 0.3}),
        (Answer(words("1", "2"), between=5), {"silence": 0.3}),
        (Answer(words(*"12345678"), between=0.15), {"seconds": 0.5, "silence": 5}),
    ],
    ids=["before", "between", "in all"],
)
def test_a_slow_server_is_left(serve, answer, fields):
    _, model = serve(answer, model="seer-1", **fields)
    before = time.monotonic()
    with pytest.raises(errors.EndpointTimeout, match="too slow") as error:
        model.complete(ASKED)
    assert error.value.exit_code == 75
    assert time.monotonic() - before < 4


def test_a_field_that_a_server_refuses_is_left_out_and_told(serve):
    def strict(body):
        for field in ("max_tokens", "temperature"):
            if field in body:
                instead = " Use 'max_completion_tokens' instead." if field == "max_tokens" else ""
                return refused(400, f"Unsupported parameter: '{field}'.{instead}")
        return Answer(words("23"))

    server, model = serve(strict, model="seer-1", temperature=0.6)
    reply = model.complete(ASKED, max_tokens=50)
    assert reply.text == "23"
    assert server.asked[-1]["max_completion_tokens"] == 50
    assert any("temperature" in note for note in reply.notes)
    before = len(server.asked)
    model.complete(ASKED)
    assert len(server.asked) == before + 1, "it is known from then on"


def test_redirects_stay_on_the_server(serve):
    other, _ = serve(Answer(words("stolen")))
    moved = Answer(status=307, body={}, headers={"location": other.url + "/chat/completions"})
    _, model = serve(moved, model="seer-1")
    with pytest.raises(errors.EndpointRefused, match=r"redirects to http://127\.0\.0\.1"):
        model.complete(ASKED)
    assert not other.requests
    home = Answer(status=308, body={}, headers={"location": "/v1/chat/completions/"})
    server, model = serve(home, Answer(words("23")), model="seer-1")
    assert model.complete(ASKED).text == "23"
    assert server.asked[0] == server.asked[1]


def test_what_a_server_can_do(serve):
    _, model = serve(Answer(body=whole("y")))
    can = model.capabilities
    assert (can.images, can.tools, can.images_of_tools, can.context) == (True, True, True, 32768)

    def blind(body):
        last = body["messages"][-1]["content"]
        if isinstance(last, list):
            return refused(400, "seer-1 is not a multimodal model")
        return refused(400, "--enable-auto-tool-choice is not set") if "tools" in body else Answer(body=whole("y"))

    server, model = serve(blind, models=[{"id": "m", "meta": {"n_ctx_train": 512}}])
    can = model.capabilities
    assert (can.images, can.tools, can.context) == (False, False, 512)
    assert len(can.notes) == 2
    asked = len(server.asked)
    grey = Picture(np.zeros((8, 8, 3), np.uint8), MADE_HERE)
    with pytest.raises(errors.ModelWithoutImages):
        model.complete([Turn.of("user", grey, "How many?")])
    assert len(server.asked) == asked, "known before it is sent"


def test_a_picture_that_no_context_takes_is_not_sent(serve):
    server, model = serve(Answer(body=whole("y")), models=[{"id": "m", "max_model_len": 512}])
    assert model.capabilities.context == 512
    asked = len(server.asked)
    large = Picture(np.zeros((1024, 1024, 3), np.uint8), MADE_HERE)
    with pytest.raises(errors.ContextTooShort, match="one picture takes about 1026 tokens"):
        model.complete([Turn.of("user", large, "How many?")])
    assert len(server.asked) == asked


def test_a_probe_tells_a_wrong_key(serve):
    _, model = serve(refused(401, "no"), models=None)
    with pytest.raises(errors.EndpointRefused):
        _ = model.capabilities
