"""Anthropic's messages: plain, with an image, with tools, streamed."""

import asyncio
import base64

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import MessageParam, ToolParam
from conftest import Answers

MODEL = "claude-sonnet-5-5"

TRAINS: ToolParam = {
    "name": "next_train",
    "description": "The next train between two stations.",
    "input_schema": {
        "type": "object",
        "properties": {"from_": {"type": "string"}, "to": {"type": "string"}, "changes": {"type": "integer"}},
        "required": ["from_", "to"],
    },
}


def test_message(anthropic: Anthropic, answers: Answers) -> None:
    message = anthropic.messages.create(
        model=MODEL,
        max_tokens=200,
        system="You are a curt geographer.",
        messages=[{"role": "user", "content": "What is the longest river of Switzerland?"}],
    )
    assert message.content[0].type == "text"
    assert message.stop_reason == "end_turn"
    answers.add(message)


def image_prompt(photo: bytes) -> list[MessageParam]:
    data = base64.b64encode(photo).decode()
    return [
        {
            "role": "user",
            "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
                {"type": "text", "text": "What is in this picture?"},
            ],
        }
    ]


def test_image(anthropic: Anthropic, answers: Answers, photo: bytes) -> None:
    answers.add(anthropic.messages.create(model=MODEL, max_tokens=200, messages=image_prompt(photo)))


async def test_two_images_async(async_anthropic: AsyncAnthropic, answers: Answers, photo: bytes, second_photo: bytes) -> None:
    told = await asyncio.gather(
        async_anthropic.messages.create(model=MODEL, max_tokens=200, messages=image_prompt(photo)),
        async_anthropic.messages.create(model=MODEL, max_tokens=200, messages=image_prompt(second_photo)),
    )
    assert told[0].content != told[1].content
    for message in told:
        answers.add(message)


def test_tools(anthropic: Anthropic, answers: Answers) -> None:
    messages: list[MessageParam] = [{"role": "user", "content": "When is the next train from Olten to Chur?"}]
    asked = anthropic.messages.create(model=MODEL, max_tokens=200, messages=messages, tools=[TRAINS])
    answers.add(asked)
    call = asked.content[0]
    assert call.type == "tool_use"
    messages.append({"role": "assistant", "content": asked.content})
    messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "13:02"}]})
    told = anthropic.messages.create(model=MODEL, max_tokens=200, messages=messages, tools=[TRAINS])
    assert told.content[0].type == "text"
    answers.add(told)


def test_stream(anthropic: Anthropic, answers: Answers) -> None:
    with anthropic.messages.stream(
        model=MODEL, max_tokens=200, messages=[{"role": "user", "content": "Count to three, slowly."}]
    ) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert message.content[0].type == "text"
    assert message.content[0].text == text
    answers.add(text)
    answers.add(message.id)


async def test_stream_async(async_anthropic: AsyncAnthropic, answers: Answers) -> None:
    stream = await async_anthropic.messages.create(
        model=MODEL,
        max_tokens=4000,
        thinking={"type": "enabled", "budget_tokens": 2000},
        messages=[{"role": "user", "content": "Count to four, thoughtfully."}],
        stream=True,
    )
    kinds = []
    async for event in stream:
        kinds.append(event.type)
        answers.add(event)
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"


async def test_retry_when_overloaded_async(async_anthropic: AsyncAnthropic, answers: Answers) -> None:
    message = await async_anthropic.messages.create(
        model=MODEL,
        max_tokens=200,
        messages=[{"role": "user", "content": "Please fail twice with 529, then answer."}],
    )
    answers.add(message)


def test_count_tokens(anthropic: Anthropic, answers: Answers) -> None:
    counted = anthropic.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "How long is this?"}])
    assert counted.input_tokens > 0
    answers.add(counted)
