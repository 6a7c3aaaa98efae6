"""A mock provider, the real service, and one that only writes down what it is sent. All on loopback."""

import contextlib
import gzip
import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BINARY = Path(os.environ.get("RUNTIME_SIGNALS_BIN", "../../target/debug/runtime-signals")).resolve()
PATIENCE_S = 60
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def chunk(delta, finish=None):
    return json.dumps({**CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class MockProvider(Handler):
    """Speaks the OpenAI dialect; the model says what is to happen."""

    def do_POST(self):
        model = json.loads(self.body())["model"]
        self.server.calls.append((model, dict(self.headers)))
        getattr(self, model.split("-")[0])()

    def fine(self):
        message = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = {**CHUNK, "object": "chat.completion", "choices": [message], "usage": usage}
        left = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"}
        secret = {"set-cookie": "session=SECRET", "x-api-key": "SECRET", "location": "https://u:SECRET@h/?key=SECRET"}
        headers = {"content-type": "application/json", **left, **secret, "x-ratelimit-reset-requests": "20s"}
        self.answer(200, headers, json.dumps(body).encode())

    def refusing(self):
        error = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}
        body = gzip.compress(json.dumps(error).encode())
        self.answer(429, {"content-type": "application/json", "content-encoding": "gzip", "retry-after": "30"}, body)

    def briefly(self):
        """Refuses once, for a second."""
        if sum(model == "briefly" for model, _ in self.server.calls) > 1:
            return self.fine()
        self.answer(429, {"content-type": "application/json", "retry-after": "1"}, b"{}")

    def wrong(self):
        self.answer(400, {"content-type": "application/json"}, b'{"error": {"message": "the prompt SECRET is bad"}}')

    def streaming(self):
        self.begin_stream()
        for part in (chunk({"role": "assistant", "content": "a"}), chunk({"content": "b"}), chunk({}, "stop"), b"[DONE]"):
            self.part(b"data: " + part + b"\n\n")
        self.part(b"")

    def endless(self):
        self.begin_stream()
        with contextlib.suppress(OSError):
            while not self.server.ending.is_set():
                self.part(b"data: " + chunk({"content": "x" * 4096}) + b"\n\n")
        self.close_connection = True

    def breaking(self):
        self.begin_stream()
        self.part(b"data: " + chunk({"role": "assistant", "content": "a"}) + b"\n\n")
        self.close_connection = True

    def hanging(self):
        self.server.ending.wait(PATIENCE_S)
        self.close_connection = True

    def begin_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("x-ratelimit-remaining-requests", "58")
        self.end_headers()

    def part(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


class Recorder(Handler):
    """In place of the service: writes down what it is sent, and answers as it is told."""

    def do_POST(self):
        lines = self.body().splitlines()
        self.server.tokens.append(self.headers.get("x-runtime-signals-token"))
        self.server.posts.append(len(lines))
        self.server.held.wait(PATIENCE_S)
        self.server.lines += [json.loads(line) for line in lines]
        self.answer(200, {}, json.dumps({"accepted": len(lines), "refused": 0, "refusals": []}).encode())

    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.held.wait(PATIENCE_S)
        self.answer(200, {}, json.dumps(self.server.wait).encode())


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that go away are part of the tests."""


class Server:
    """A server of this process; ends with the test."""

    def __init__(self, test, handler):
        self.http = QuietServer(("127.0.0.1", 0), handler)
        self.http.calls, self.http.lines, self.http.tokens, self.http.asked, self.http.posts = [], [], [], [], []
        self.http.wait = {"answer": "go", "wait_ms": 0}
        self.http.ending, self.http.held = threading.Event(), threading.Event()
        self.http.held.set()
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        test.addCleanup(self.end)

    def end(self):
        self.http.ending.set()
        self.http.held.set()
        self.http.shutdown()
        self.http.server_close()


class RealService:
    """The real binary; ends with the test."""

    def __init__(self, test, *, token=None, more=""):
        folder = tempfile.TemporaryDirectory(prefix="rs-")
        test.addCleanup(folder.cleanup)
        self.token, self.socket = token, Path(folder.name, "api.sock")
        config = Path(folder.name, "runtime-signals.toml")
        config.write_text(f'[service]\nsocket = "{self.socket}"\n[discovery]\nenabled = false\n{more}')
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("RUNTIME_SIGNALS", "FIZ"))}
        command = [BINARY, "serve", "--config", config, "--listen", "127.0.0.1:0", "--cache-dir", folder.name]
        environment = {**clean, "HOME": folder.name, **({"RUNTIME_SIGNALS_TOKEN": token} if token else {})}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        test.addCleanup(self.stop)
        self.url = json.loads(self.process.stdout.readline())["url"]

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    def signal(self, provider):
        """What the service knows of a provider; None where that is nothing."""
        headers = {"x-runtime-signals-token": self.token} if self.token else {}
        request = urllib.request.Request(f"{self.url}/v1/signals/{provider}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)["signal"]
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise


def until(condition):
    """Waits for what another thread or process is about to do. Returns what the condition gave."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError("what was waited for did not happen")
        time.sleep(0.01)
    return found
