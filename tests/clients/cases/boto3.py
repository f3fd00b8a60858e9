"""boto3 at Bedrock: Signature Version 4, event streams."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture, sized
from tests.clients.seen import attempted

client = Client("boto3")

MODEL = "anthropic.claude-x"
HELLO: Any = [{"role": "user", "content": [{"text": "Say hello."}]}]
GOODBYE: Any = [{"role": "user", "content": [{"text": "Say goodbye."}]}]


def tools(name: str) -> Any:
    schema = {"json": {"type": "object", "properties": {name: {"type": "string"}}}}
    return {"tools": [{"toolSpec": {"name": "weather", "inputSchema": schema}}]}


def api(url: str, *, attempts: int = 1, key: str | None = None) -> Any:
    retries: Any = {"max_attempts": attempts, "mode": "standard"}
    return boto3.client(
        "bedrock-runtime", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=key, config=Config(retries=retries)
    )


def answer(response: Any) -> Any:
    """What boto3 gives, with its streams read."""
    # How often it had to try is not told by the answer, but by the tries, of which replay needs none.
    response["ResponseMetadata"].pop("RetryAttempts")
    return {name: [*value] if name == "stream" else value.read() if name == "body" else value for name, value in response.items()}


def converse(url: str, messages: Any = HELLO, model: str = MODEL, **more: Any) -> Any:
    return answer(api(url).converse(modelId=model, messages=messages, **more))


plain = client.case("boto3.converse.sync")(converse)
plain.but("another prompt", cause="text")(lambda url: converse(url, GOODBYE))
plain.but("another model in the path", cause="url")(lambda url: converse(url, model="anthropic.claude-y"))
plain.but("streamed", cause="url")(lambda url: answer(api(url).converse_stream(modelId=MODEL, messages=HELLO)))
plain.but("a system prompt", cause="added-key")(lambda url: converse(url, system=[{"text": "Be brief."}]))
plain.but("another key", cause="credential")(lambda url: api(url, key="AKIAANOTHER").converse(modelId=MODEL, messages=HELLO))
client.case("boto3.converse_tools.sync")(lambda url: converse(url, toolConfig=tools("city"))).but("another schema", cause="tools")(
    lambda url: converse(url, toolConfig=tools("town"))
)


def see(url: str, image: bytes) -> Any:
    return converse(url, [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": image}}}, {"text": "What?"}]}])


client.case("boto3.converse_image.sync")(lambda url: see(url, picture())).but("another pixel", cause="media")(
    lambda url: see(url, other_pixel())
)
client.case("boto3.converse_image.sync.200kb")(lambda url: see(url, sized(200_000))).but("another image", cause="media")(
    lambda url: see(url, sized(200_000, 1))
)
client.case("boto3.converse_stream.sync")(lambda url: answer(api(url).converse_stream(modelId=MODEL, messages=HELLO))).but(
    "another prompt", cause="text"
)(lambda url: answer(api(url).converse_stream(modelId=MODEL, messages=GOODBYE)))


def invoke(url: str, text: str = "Say hello.") -> Any:
    return answer(api(url).invoke_model(modelId="amazon.titan-x", body=json.dumps({"inputText": text})))


client.case("boto3.invoke.sync")(invoke).but("another prompt", cause="text")(lambda url: invoke(url, "Say goodbye."))


def invoke_stream(url: str, prompt: str = "Say hello.") -> Any:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 8, "messages": [{"role": "user", "content": prompt}]}
    response = api(url).invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(body))
    return [*response["body"]]


client.case("boto3.invoke_stream.sync")(invoke_stream).but("another prompt", cause="text")(lambda url: invoke_stream(url, "Say goodbye."))


def patiently(url: str, prompt: str) -> Any:
    return answer(api(url, attempts=4).converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": prompt}]}]))


def upload(url: str, body: Any, attempts: int = 4) -> Any:
    return answer(api(url, attempts=attempts).invoke_model(modelId="amazon.titan-x", body=body))


for status in (500, 429):
    client.case(f"boto3.converse.sync.retry_{status}")(lambda url, s=status: patiently(url, f"fail twice with {s}")).but(
        "another prompt", cause="text"
    )(lambda url, s=status: patiently(url, f"two: fail twice with {s}"))
    # It takes no stream that it could not rewind: the signature needs the whole body before a byte is sent.
    for kind, made in (("bytes", bytes), ("bytesio", io.BytesIO)):
        failing = json.dumps({"inputText": f"{kind}: fail twice with {status}"}).encode()
        client.case(f"boto3.invoke.sync.retry_{status}.{kind}")(lambda url, m=made, d=failing: upload(url, m(d))).but(
            "other bytes", cause="text"
        )(lambda url, m=made, d=failing: upload(url, m(d.replace(b"twice", b"once"))))


def upload_twice(url: str, data: bytes) -> Any:
    """The same file object for two calls: botocore rewinds to where it found it, so the second is empty, live and on replay."""
    file = io.BytesIO(data)
    return [upload(url, file, 1), attempted(lambda: upload(url, file, 1), ClientError)]


client.case("boto3.invoke.sync.twice", settings={"status": [400]})(lambda url: upload_twice(url, b'{"inputText":"one"}')).but(
    "other bytes", cause="text"
)(lambda url: upload(url, io.BytesIO(b'{"inputText":"two"}'), 1))


def threads(url: str, count: int = 24) -> Any:
    shared = api(url)

    def ask(number: int) -> Any:
        return answer(shared.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": f"Thread {number}."}]}]))

    with ThreadPoolExecutor(8) as pool:
        return [*pool.map(ask, range(count))]


client.case("boto3.converse.sync.threads_8")(threads).but("one more", cause="text")(lambda url: threads(url, 25))
