"""What the leaks have in common: where the provider is, and a client that is closed with the run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest
from openai import OpenAI

URL = f"{os.environ['LLM_VCR_DEMO_URL']}/v1"


def ask(client: OpenAI, prompt: str, **more: object) -> str | None:
    """One question, one answer."""
    messages = [{"role": "user", "content": prompt}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **more).choices[0].message.content


def new_client() -> OpenAI:
    """A client that is tried once: what is refused is refused."""
    return OpenAI(base_url=URL, http_client=httpx.Client(verify=False), max_retries=0)


@pytest.fixture
def client() -> Iterator[OpenAI]:
    """A client of the test's own."""
    with new_client() as made:
        yield made
