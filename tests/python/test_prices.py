"""What a call used and what it costs, from the answers of every kind of provider, whole and streamed."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr.exchange import content, prices
from llm_vcr.exchange.content import Used, used
from llm_vcr.exchange.prices import price

from tests.fake_provider import FakeProvider
from tests.fake_provider.bedrock import frame

AMAZON = {"Content-Type": ["application/vnd.amazon.eventstream"]}
JSON = {"content-type": ["application/json"]}
EVENTS = {"content-type": ["text/event-stream; charset=utf-8"]}

OPENAI = "https://api.openai.com/v1"
BEDROCK = "https://bedrock-runtime.eu-west-1.amazonaws.com/model"
GEMINI = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash"

CHAT = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
NATIVE = {"input_tokens": 1000, "output_tokens": 500}
COUNTS = {"promptTokenCount": 1000, "candidatesTokenCount": 500, "totalTokenCount": 1500}


def events(*every: object, names: bool = False) -> bytes:
    lines = [(f"event: {one['type']}\n" if names and isinstance(one, dict) else "") + f"data: {json.dumps(one)}" for one in every]
    return "\n\n".join([*lines, "data: [DONE]", ""]).encode()


def messages(*every: tuple[str, object]) -> bytes:
    return b"".join(frame({":event-type": name}, json.dumps(payload).encode()) for name, payload in every)


ANTHROPIC_STREAM = (
    {"type": "message_start", "message": {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 1000, "output_tokens": 1}}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 'a quote of "usage": {"output_tokens": 7}'}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 500}},
    {"type": "message_stop"},
)


def chunk(event: object) -> tuple[str, object]:
    return "chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}


CASES: dict[str, tuple[str, dict[str, Any], bytes, dict[str, list[str]], str, str]] = {
    "openai": (f"{OPENAI}/chat/completions", {"model": "gpt-4o"}, json.dumps({"usage": CHAT}).encode(), JSON, "openai", "gpt-4o"),
    "openai, streamed": (
        f"{OPENAI}/chat/completions",
        {"model": "gpt-4o", "stream": True},
        events({"model": "gpt-4o-2024-08-06", "usage": None, "choices": [{}]}, {"choices": [], "usage": CHAT}),
        EVENTS,
        "openai",
        "gpt-4o",
    ),
    "responses": (f"{OPENAI}/responses", {"model": "gpt-4o"}, json.dumps({"usage": NATIVE}).encode(), JSON, "openai", "gpt-4o"),
    "responses, streamed": (
        f"{OPENAI}/responses",
        {"model": "gpt-4o"},
        events(
            {"type": "response.created", "response": {"model": "gpt-4o", "usage": None}},
            {"type": "response.completed", "response": {"model": "gpt-4o", "usage": NATIVE}},
            names=True,
        ),
        EVENTS,
        "openai",
        "gpt-4o",
    ),
    "a stand-in": (
        "http://127.0.0.1:8080/v1/chat/completions",
        {"model": "gpt-4o"},
        json.dumps({"usage": CHAT}).encode(),
        JSON,
        "openai",
        "gpt-4o",
    ),
    "azure": (
        "https://mine.openai.azure.com/openai/deployments/my-model/chat/completions?api-version=1",
        {"messages": []},
        json.dumps({"model": "gpt-4o-2024-08-06", "usage": CHAT}).encode(),
        JSON,
        "azure",
        "gpt-4o",
    ),
    "anthropic": (
        "https://api.anthropic.com/v1/messages",
        {"model": "claude-sonnet-4-5"},
        json.dumps({"model": "claude-sonnet-4-5", "usage": NATIVE}).encode(),
        JSON,
        "anthropic",
        "claude-sonnet-4-5",
    ),
    "anthropic, streamed": (
        "https://api.anthropic.com/v1/messages",
        {"model": "claude-sonnet-4-5"},
        events(*ANTHROPIC_STREAM, names=True),
        EVENTS,
        "anthropic",
        "claude-sonnet-4-5",
    ),
    "gemini": (f"{GEMINI}:generateContent", {}, json.dumps({"usageMetadata": COUNTS}).encode(), JSON, "google", "gemini-2.5-flash"),
    "gemini, streamed": (
        f"{GEMINI}:streamGenerateContent?alt=sse",
        {},
        events({"usageMetadata": {"promptTokenCount": 1000}}, {"usageMetadata": COUNTS, "modelVersion": "gemini-2.5-flash"}),
        EVENTS,
        "google",
        "gemini-2.5-flash",
    ),
    "gemini, streamed as an array": (
        f"{GEMINI}:streamGenerateContent",
        {},
        json.dumps([{"usageMetadata": {"promptTokenCount": 1000}}, {"usageMetadata": COUNTS}]).encode(),
        JSON,
        "google",
        "gemini-2.5-flash",
    ),
    "mistral": (
        "https://api.mistral.ai/v1/chat/completions",
        {"model": "mistral-large-latest"},
        json.dumps({"usage": CHAT}).encode(),
        JSON,
        "mistral",
        "mistral-large-latest",
    ),
    "groq, streamed": (
        "https://api.groq.com/openai/v1/chat/completions",
        {"model": "llama-3.1-8b-instant"},
        events({"choices": [{}]}, {"choices": [], "x_groq": {"id": "req_1", "usage": CHAT}}),
        EVENTS,
        "groq",
        "llama-3.1-8b-instant",
    ),
    "cohere": (
        "https://api.cohere.com/v2/chat",
        {"model": "command-r-plus"},
        json.dumps({"usage": {"billed_units": NATIVE, "tokens": {"input_tokens": 1}}}).encode(),
        JSON,
        "cohere",
        "command-r-plus",
    ),
    "cohere, streamed": (
        "https://api.cohere.com/v2/chat",
        {"model": "command-r-plus"},
        events({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"billed_units": NATIVE}}}, names=True),
        EVENTS,
        "cohere",
        "command-r-plus",
    ),
    "bedrock, converse": (
        f"{BEDROCK}/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse",
        {"messages": []},
        json.dumps({"usage": {"inputTokens": 1000, "outputTokens": 500}}).encode(),
        JSON,
        "aws",
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    ),
    "bedrock, converse streamed": (
        f"{BEDROCK}/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse-stream",
        {"messages": []},
        messages(("messageStart", {"role": "assistant"}), ("metadata", {"usage": {"inputTokens": 1000, "outputTokens": 500}})),
        AMAZON,
        "aws",
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    ),
    "bedrock, invoke streamed": (
        f"{BEDROCK}/anthropic.claude-3-5-sonnet-20240620-v1%3A0/invoke-with-response-stream",
        {"messages": []},
        messages(*map(chunk, ANTHROPIC_STREAM)),
        AMAZON,
        "aws",
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    ),
    "bedrock, told by headers": (
        f"{BEDROCK}/amazon.nova-lite-v1%3A0/invoke",
        {"inputText": "hi"},
        b'{"results": []}',
        JSON | {"x-amzn-bedrock-input-token-count": ["1000"], "X-Amzn-Bedrock-Output-Token-Count": ["500"]},
        "aws",
        "amazon.nova-lite-v1:0",
    ),
}


def use(uri: str, asked: Any, answer: bytes, headers: dict[str, list[str]], status: int = 200) -> Used | None:
    sent = asked if asked is None or isinstance(asked, bytes) else json.dumps(asked).encode()
    return used("POST", uri, JSON, sent, {"status": {"code": status}, "headers": headers, "body": {"string": answer}})


@pytest.mark.parametrize("name", CASES)
def test_a_call_is_priced_by_what_its_answer_tells(name: str) -> None:
    uri, asked, answer, headers, provider, model = CASES[name]
    found = use(uri, asked, answer, headers)
    assert found is not None
    cost = price(found)
    expected = calc_price(Usage(input_tokens=1000, output_tokens=500), model, provider_id=provider).total_price
    assert cost.dollars == pytest.approx(float(expected))
    assert cost.dollars
    assert cost.provider == provider


def test_embeddings_and_cached_tokens() -> None:
    found = use(f"{OPENAI}/embeddings", {"model": "text-embedding-3-small"}, b'{"usage": {"prompt_tokens": 1000000}}', JSON)
    assert found is not None
    assert price(found).dollars == pytest.approx(0.02)
    cached = {**CHAT, "prompt_tokens_details": {"cached_tokens": 800}}
    found = use(f"{OPENAI}/chat/completions", {"model": "gpt-4o"}, json.dumps({"usage": cached}).encode(), JSON)
    assert found is not None
    usage = Usage(input_tokens=1000, output_tokens=500, cache_read_tokens=800)
    assert price(found).dollars == pytest.approx(float(calc_price(usage, "gpt-4o", provider_id="openai").total_price))


@pytest.mark.parametrize(
    ("uri", "asked", "answer", "headers", "why"),
    [
        (f"{OPENAI}/audio/speech", {"model": "tts-1"}, b"\x00\xff" * 100, {}, "tts-1: the answer tells no usage"),
        (f"{OPENAI}/chat/completions", {"model": "gpt-4o"}, events({"choices": [{}]}), EVENTS, "gpt-4o: the answer tells no usage"),
        (f"{OPENAI}/chat/completions", {"model": "gpt-0"}, json.dumps({"usage": CHAT}).encode(), JSON, "gpt-0: no price is known"),
        (f"{OPENAI}/odd", {}, json.dumps({"usage": CHAT}).encode(), JSON, "/v1/odd: no price is known"),
        (f"{OPENAI}/odd", None, b"", {}, "/v1/odd: the answer tells no usage"),
        (f"{OPENAI}/chat/completions", {"model": "gpt-4o"}, b'{"usage": {"prompt_tokens": "many"}}', JSON, "gpt-4o: no price is known"),
        (f"{OPENAI}/chat/completions", {"model": "gpt-4o"}, b'{"usage": ' + b"9" * 5000 + b"}", JSON, "gpt-4o: the answer tells no usage"),
        (f"{OPENAI}/chat/completions", {"model": "gpt-4o"}, b'{"usage": {"prompt_', JSON, "gpt-4o: the answer tells no usage"),
        (f"{BEDROCK}/m/converse-stream", {}, b"\0\0\0\x11\0\0", AMAZON, "m: the answer tells no"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said_to_be_unknown(uri: str, asked: Any, answer: bytes, headers: dict[str, list[str]], why: str) -> None:
    found = use(uri, asked, answer, headers)
    assert found is not None
    cost = price(found)
    assert cost.dollars is None
    assert cost.why_unknown.startswith(why)


def test_what_costs_nothing_is_no_use() -> None:
    answer = json.dumps({"usage": CHAT}).encode()
    chat = f"{OPENAI}/chat/completions"
    assert use(chat, {"model": "gpt-4o"}, answer, JSON, status=500) is None
    assert use("https://api.anthropic.com/v1/messages/count_tokens", {"model": "claude-sonnet-4-5"}, b'{"input_tokens": 9}', JSON) is None
    assert use(f"{GEMINI}:countTokens", {}, b'{"totalTokens": 9}', JSON) is None
    assert used("GET", f"{OPENAI}/models", {}, None, {"status": {"code": 200}, "headers": JSON, "body": {"string": b"{}"}}) is None


def test_the_model_is_found_where_it_stands() -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
    response = {"status": {"code": 200}, "headers": JSON, "body": {"string": b"{}"}}
    found = used("POST", f"{OPENAI}/audio/transcriptions", {"Content-Type": "multipart/form-data; boundary=x"}, form, response)
    assert found == Used(f"{OPENAI}/audio/transcriptions", "whisper-1", "")
    nested = {"messages": [{"content": '"model": "not this"', "model": "nor this"}], "model": "gpt-4o"}
    assert (found := use(f"{OPENAI}/chat/completions", nested, b"{}", JSON)) is not None
    assert found.model == "gpt-4o"


def test_an_event_of_several_lines_is_read_too() -> None:
    pretty = "\n".join(f"data: {line}" for line in json.dumps({"model": "m", "usage": CHAT}, indent=1).splitlines())
    told = content.answer({"headers": EVENTS, "body": {"string": f"{pretty}\n\ndata: [DONE]\n\n".encode()}})
    assert told == {"model": "m", "usage": CHAT}


@pytest.mark.parametrize("stream", [False, True])
def test_a_real_answer_of_the_stand_in(stream: bool) -> None:
    with FakeProvider() as provider:
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        more = {"stream_options": {"include_usage": True}} if stream else {}
        answer = httpx.post(f"{provider.url}/v1/chat/completions", json=asked | more, headers={"authorization": "Bearer k"}, verify=False)
        assert answer.status_code == 200
    headers = {name: [value] for name, value in answer.headers.items()}
    found = use(f"{provider.url}/v1/chat/completions", asked, answer.content, headers)
    assert found is not None
    usage = json.loads(found.usage)["usage"]
    expected = calc_price(
        Usage(input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"]), "gpt-4o", provider_id="openai"
    )
    assert price(found).dollars == pytest.approx(float(expected.total_price))


def test_totals() -> None:
    assert prices.total([]) == (0, False)
    assert prices.total([prices.Price(1.0), prices.Price(None)]) == (1.0, True)
    assert prices.total([prices.Price(None)]) == (None, True)


@given(st.text())
def test_a_name_is_what_its_json_says(name: str) -> None:
    for written in (json.dumps(name), json.dumps(name, ensure_ascii=False)):
        told = content.answer({"headers": {}, "body": {"string": f'{{"model": {written}}}'.encode("utf-8", "replace")}})
        assert told == {"model": json.loads(written.encode("utf-8", "replace"))}
