"""A test that has opted out, and answers itself."""

import httpx
import pytest
from conftest import URL
from openai import OpenAI


def answer(_request):
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "warm"}}
    return httpx.Response(200, json={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


@pytest.mark.llm_vcr(off="answers itself")
def test_clean():
    with OpenAI(base_url=URL, http_client=httpx.Client(transport=httpx.MockTransport(answer))) as client:
        messages = [{"role": "user", "content": "Is my cache warm?"}]
        assert client.chat.completions.create(model="m", messages=messages).choices[0].message.content == "warm"
