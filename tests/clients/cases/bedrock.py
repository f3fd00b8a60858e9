"""The anthropic SDK at Bedrock: Signature Version 4, event streams, the model in the path."""

from __future__ import annotations

from typing import Any

from anthropic import AnthropicBedrock, AsyncAnthropicBedrock

from tests.clients.case import Client

client = Client("bedrock")

HELLO: Any = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": "Say hello."}]}
GOODBYE: Any = {**HELLO, "messages": [{"role": "user", "content": "Say goodbye."}]}
AWS: Any = {"aws_access_key": "AKIASESSION", "aws_secret_key": "session", "aws_region": "us-east-1", "max_retries": 0}


def bedrock(url: str, **options: Any) -> AnthropicBedrock:
    return AnthropicBedrock(base_url=url, **{**AWS, **options})


by_bedrock = client.case("anthropic.bedrock.sync")(lambda url: bedrock(url).messages.create(**HELLO))
by_bedrock.but("another prompt", cause="text")(lambda url: bedrock(url).messages.create(**GOODBYE))
by_bedrock.but("another model in the path", cause="url")(lambda url: bedrock(url).messages.create(**{**HELLO, "model": "claude-y"}))
by_bedrock.but("another key", cause="credential")(lambda url: bedrock(url, aws_access_key="AKIAANOTHER").messages.create(**HELLO))
client.case("anthropic.bedrock.async")(lambda url: AsyncAnthropicBedrock(base_url=url, **AWS).messages.create(**HELLO)).but(
    "another prompt", cause="text"
)(lambda url: AsyncAnthropicBedrock(base_url=url, **AWS).messages.create(**GOODBYE))
client.case("anthropic.bedrock_stream.sync")(lambda url: [*bedrock(url).messages.create(**HELLO, stream=True)]).but(
    "not streamed", cause="url"
)(lambda url: bedrock(url).messages.create(**HELLO))


def patiently(url: str, prompt: str) -> Any:
    return bedrock(url, max_retries=3).messages.create(**{**HELLO, "messages": [{"role": "user", "content": prompt}]})


for status in (500, 429):
    client.case(f"anthropic.bedrock.sync.retry_{status}")(lambda url, s=status: patiently(url, f"fail twice with {s}")).but(
        "another prompt", cause="text"
    )(lambda url, s=status: patiently(url, f"two: fail twice with {s}"))
