"""A chat server on this machine that answers as a test says, faults included."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODELS = [{"id": "seer-1", "max_model_len": 32768}]


def words(*pieces, finish="stop", usage=True, field="content"):
    """Events of a stream with these pieces of text."""
    events = [{"model": "seer-1", "choices": [{"index": 0, "delta": {field: piece}}]} for piece in pieces]
    events.append({"model": "seer-1", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage:
        events.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(pieces)}})
    return events


def whole(text, finish="stop"):
    """A completion that is not streamed."""
    return {
        "model": "seer-1",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
    }


class Answer:
    """One answer: a status, headers, and events of a stream, or a body."""

    def __init__(
        self, events=(), *, status=200, body=None, headers=None, before=0.0, between=0.0, cut=False, done=True
    ):
        self.events, self.status, self.body = list(events), status, body
        self.headers, self.before, self.between = headers or {}, before, between
        self.cut, self.done = cut, done


class ScriptedServer:
    """Answers requests in the order of a list; its last answer is repeated."""

    def __init__(self, *answers, models=MODELS):
        self.answers, self.models = list(answers), models
        self.requests, self.sent_at, self.closed = [], [], threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                server.requests.append((self.path, dict(self.headers), None))
                if server.models is None:
                    self.plain(404, b"{}", {})
                else:
                    self.plain(200, json.dumps({"data": server.models}).encode(), {})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.requests.append((self.path, dict(self.headers), body))
                answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                if callable(answer):
                    answer = answer(body)
                time.sleep(answer.before)
                try:
                    self.say(answer)
                except (BrokenPipeError, ConnectionResetError):
                    server.closed.set()

            def plain(self, status, body, headers):
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def say(self, answer):
                if answer.body is not None:
                    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                    return self.plain(answer.status, body, answer.headers)
                self.send_response(answer.status)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                for event in answer.events:
                    server.sent_at.append(time.monotonic())
                    self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                    self.wfile.flush()
                    time.sleep(answer.between)
                if answer.done and not answer.cut:
                    self.wfile.write(b"data: [DONE]\n\n")
                self.close_connection = True
                return None

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        self._thread = threading.Thread(target=lambda: self._httpd.serve_forever(0.02), daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._httpd.server_port}/v1"

    @property
    def asked(self):
        """Bodies of the chat requests."""
        return [body for _, _, body in self.requests if body is not None]

    def close(self):
        self._httpd.shutdown()
        self._httpd.server_close()
