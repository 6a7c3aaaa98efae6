"""The service passes calls on: the real clients of OpenAI and Anthropic, mock providers, the real service.

A client is told one base URL in place of the provider's. What the provider is sent and what the client gets is compared,
byte by byte, with a call that goes to the provider directly.
"""

import json
import unittest

import anthropic
import openai

from support import MockProvider, RealService, Server, until

TOKEN = "0123456789abcdef"
MESSAGES = [{"role": "user", "content": "größer als <nothing>"}]
USAGE = {"input_tokens": 1, "output_tokens": 2}
EVENTS = [
    {"type": "message_start", "message": {"id": "1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": USAGE}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hé"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "llo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
LEFT = {"anthropic-ratelimit-requests-limit": "60", "anthropic-ratelimit-requests-remaining": "58"}


class Provider(MockProvider):
    """Writes down every request as it comes. Speaks OpenAI's dialect, and Anthropic's at its path."""

    # The same at each call.
    def date_time_string(self, timestamp=None):
        return "Thu, 15 Jan 2026 12:00:00 GMT"

    def body(self):
        body = super().body()
        of_one_connection = ("host", "connection")
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in of_one_connection]
        self.server.lines.append((self.requestline, headers, body))
        return body

    def do_GET(self):
        self.body()
        self.answer(200, {"content-type": "application/json"}, b'{"object": "list", "data": []}')

    def do_POST(self):
        if self.path != "/v1/messages":
            return super().do_POST()
        model = json.loads(self.body())["model"]
        getattr(self, f"anthropic_{model}")()

    def anthropic_fine(self):
        text = {"type": "text", "text": "hi"}
        message = {**EVENTS[0]["message"], "content": [text], "stop_reason": "end_turn"}
        self.answer(200, {"content-type": "application/json", **LEFT}, json.dumps(message).encode())

    def anthropic_refusing(self):
        error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
        self.answer(429, {"content-type": "application/json", "retry-after": "30"}, json.dumps(error).encode())

    def anthropic_streaming(self):
        self.send_response(200)
        for name, value in {"content-type": "text/event-stream", "transfer-encoding": "chunked", **LEFT}.items():
            self.send_header(name, value)
        self.end_headers()
        for event in EVENTS:
            self.part(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self.part(b"")


class Proxy(unittest.TestCase):
    def setUp(self):
        self.provider = Server(self, Provider)
        names = {"openai": f"{self.provider.url}/v1", "anthropic": self.provider.url}
        providers = [f'[[providers]]\nname = "{name}"\ntype = "{name}"\nbase_url = "{url}"\n' for name, url in names.items()]
        self.service = RealService(self, token=TOKEN, more="".join(providers))

    def clients(self, make, path):
        """The same client twice: to the provider directly, and by the service."""
        key = {"api_key": "SECRET", "max_retries": 0, "timeout": 30}
        token = {"x-runtime-signals-token": TOKEN}
        yield make(base_url=f"{self.provider.url}{path}", **key)
        name = make.__module__.split(".")[0]
        yield make(base_url=f"{self.service.url}/proxy/{name}{path}", default_headers=token, **key)

    def same(self, make, path, call):
        """Makes a call both ways; returns what it gave, where that and what the provider was sent are the same."""
        given = []
        for client in self.clients(make, path):
            with client:
                given.append(call(client))
        direct, passed = self.provider.http.lines
        self.assertEqual(passed, direct)
        self.assertNotIn(TOKEN, str(passed))
        self.assertEqual(given[1], given[0])
        return given[1]

    def whole(self, raw):
        """The bytes of a response, its status and its headers."""
        headers = [(name, value) for name, value in raw.headers.items() if name.lower() != "connection"]
        return raw.status_code, sorted(headers), raw.http_response.content

    def signal(self, provider, condition):
        """What the service knows when that is so."""
        return until(lambda: (signal := self.service.signal(provider)) and condition(signal) and signal)

    def test_a_completion_of_openai_is_the_same(self):
        create = lambda client: client.chat.completions.with_raw_response.create(model="fine", messages=MESSAGES)
        status, _, content = self.same(openai.OpenAI, "/v1", lambda client: self.whole(create(client)))
        self.assertEqual((status, json.loads(content)["choices"][0]["message"]["content"]), (200, "hi"))
        signal = self.signal("openai", lambda signal: "latency" in signal)
        self.assertEqual((signal["status"], signal["quota_remaining"], signal["latency"]["count"]), ("available", 59, 1))

    def test_a_stream_of_openai_is_the_same(self):
        def stream(client):
            chunks = client.chat.completions.create(model="streaming", messages=MESSAGES, stream=True)
            return [chunk.model_dump_json() for chunk in chunks]

        self.assertEqual(len(self.same(openai.OpenAI, "/v1", stream)), 3)
        self.assertEqual(self.signal("openai", lambda signal: "latency" in signal)["quota_remaining"], 58)

    def test_the_bytes_of_a_stream_of_openai_are_the_same(self):
        def stream(client):
            calls = client.chat.completions.with_streaming_response
            with calls.create(model="streaming", messages=MESSAGES, stream=True) as response:
                return response.status_code, sorted(response.headers.items()), b"".join(response.iter_bytes())

        self.assertIn(b"data: [DONE]", self.same(openai.OpenAI, "/v1", stream)[2])

    def test_a_list_of_openai_is_the_same(self):
        self.assertEqual(self.same(openai.OpenAI, "/v1", lambda client: client.models.list().data), [])

    def test_a_message_of_anthropic_is_the_same(self):
        create = lambda client: client.messages.with_raw_response.create(model="fine", max_tokens=9, messages=MESSAGES)
        status, _, content = self.same(anthropic.Anthropic, "", lambda client: self.whole(create(client)))
        self.assertEqual((status, json.loads(content)["content"][0]["text"]), (200, "hi"))
        self.assertEqual(self.signal("anthropic", lambda signal: "latency" in signal)["quota_remaining"], 58)

    def test_a_stream_of_anthropic_is_the_same(self):
        def stream(client):
            with client.messages.stream(model="streaming", max_tokens=9, messages=MESSAGES) as events:
                return [event.model_dump_json() for event in events], events.get_final_text()

        self.assertEqual(self.same(anthropic.Anthropic, "", stream)[1], "héllo")

    def refused(self, make, path, error, call):
        def refuse(client):
            with self.assertRaises(error) as raised:
                call(client)
            return raised.exception.status_code, raised.exception.response.headers["retry-after"], str(raised.exception)

        status, retry_after, _ = self.same(make, path, refuse)
        self.assertEqual((status, retry_after), (429, "30"))
        signal = self.service.signal(make.__module__.split(".")[0])
        self.assertEqual((signal["status"], signal["quota_remaining"]), ("exhausted", 0))

    def test_a_refusal_of_openai_is_the_clients_own_exception_and_known_at_once(self):
        call = lambda client: client.chat.completions.create(model="refusing", messages=MESSAGES)
        self.refused(openai.OpenAI, "/v1", openai.RateLimitError, call)

    def test_a_refusal_of_anthropic_is_the_clients_own_exception_and_known_at_once(self):
        call = lambda client: client.messages.create(model="refusing", max_tokens=9, messages=MESSAGES)
        self.refused(anthropic.Anthropic, "", anthropic.RateLimitError, call)

    def test_a_provider_that_is_away_is_an_error_that_clients_try_again(self):
        self.provider.end()
        _, client = self.clients(openai.OpenAI, "/v1")
        with client, self.assertRaises(openai.InternalServerError) as raised:
            client.chat.completions.create(model="fine", messages=MESSAGES)
        self.assertEqual(raised.exception.status_code, 502)
        self.assertIn("did not answer", raised.exception.response.json()["detail"])
        signal = self.signal("openai", lambda signal: "last_error_msg" in signal)
        self.assertEqual((signal["status"], signal["reason"]), ("degraded", "unreachable"))


if __name__ == "__main__":
    unittest.main()
