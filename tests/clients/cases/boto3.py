"""boto3 at Bedrock: Signature Version 4, event streams."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

from tests.clients.case import Client
from tests.clients.cases.pictures import other_pixel, picture, sized

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
client.case("boto3.converse_image.sync.200kb")(lambda url: see(url, sized(200_000)))
client.case("boto3.converse_stream.sync")(lambda url: answer(api(url).converse_stream(modelId=MODEL, messages=HELLO))).but(
    "another prompt", cause="text"
)(lambda url: answer(api(url).converse_stream(modelId=MODEL, messages=GOODBYE)))


def invoke(url: str, text: str = "Say hello.") -> Any:
    return answer(api(url).invoke_model(modelId="amazon.titan-x", body=json.dumps({"inputText": text})))


client.case("boto3.invoke.sync")(invoke).but("another prompt", cause="text")(lambda url: invoke(url, "Say goodbye."))


@client.case("boto3.invoke_stream.sync")
def invoke_stream(url: str) -> Any:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 8, "messages": [{"role": "user", "content": "Say hello."}]}
    response = api(url).invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(body))
    return [*response["body"]]


client.case("boto3.converse.sync.retry_500")(
    lambda url: answer(
        api(url, attempts=4).converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "fail twice with 500"}]}])
    )
)
client.case("boto3.converse.sync.retry_429")(
    lambda url: answer(
        api(url, attempts=4).converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "fail once with 429"}]}])
    )
)


@client.case("boto3.converse.sync.threads_8")
def threads(url: str) -> Any:
    shared = api(url)

    def ask(number: int) -> Any:
        return answer(shared.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": f"Thread {number}."}]}]))

    with ThreadPoolExecutor(8) as pool:
        return [*pool.map(ask, range(24))]
