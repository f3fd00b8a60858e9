"""Chat completions: plain, streamed, with tools, many at once."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from conftest import Answers
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

MODEL = "gpt-6-luna"

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
        },
    },
}


def test_chat(openai: OpenAI, answers: Answers) -> None:
    completion = openai.chat.completions.create(
        model=MODEL,
        temperature=0.2,
        messages=[
            {"role": "system", "content": "You are a curt geographer."},
            {"role": "user", "content": "What is the capital of Switzerland?"},
        ],
    )
    assert completion.choices[0].message.content
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0
    answers.add(completion)


async def test_chat_async(async_openai: AsyncOpenAI, answers: Answers) -> None:
    completion = await async_openai.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Grüezi! Wie heisst der höchste Berg der Schweiz? 🏔"}]
    )
    assert completion.choices[0].finish_reason == "stop"
    answers.add(completion)


def test_raw_response(openai: OpenAI, answers: Answers) -> None:
    raw = openai.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": "Show me the bytes."}])
    assert raw.headers["content-type"] == "application/json"
    answers.add(raw.content)


@pytest.mark.parametrize("style", ["terse/polite", "terse:polite"])
def test_style(openai: OpenAI, answers: Answers, style: str) -> None:
    completion = openai.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": f"Say hello, {style}."}])
    answers.add(completion)


def test_same_question_twice(openai: OpenAI, answers: Answers) -> None:
    told = []
    for _ in range(2):
        completion = openai.chat.completions.create(
            model=MODEL, temperature=1, messages=[{"role": "user", "content": "Think of a number."}]
        )
        answers.add(completion)
        told.append(completion.choices[0].message.content)
    assert told[0] != told[1]


def test_conversation(openai: OpenAI, answers: Answers) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Name a river."}]
    first = openai.chat.completions.create(model=MODEL, messages=messages)
    messages.append({"role": "assistant", "content": first.choices[0].message.content})
    messages.append({"role": "user", "content": "And where does it end?"})
    second = openai.chat.completions.create(model=MODEL, messages=messages)
    assert second.choices[0].message.content != first.choices[0].message.content
    answers.add(first)
    answers.add(second)


def test_stream(openai: OpenAI, answers: Answers) -> None:
    text = ""
    with openai.chat.completions.create(
        model=MODEL,
        stream=True,
        stream_options={"include_usage": True},
        messages=[{"role": "user", "content": "Count to three, slowly."}],
    ) as stream:
        for chunk in stream:
            answers.add(chunk)
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
    assert text
    assert chunk.usage is not None


async def test_stream_async(async_openai: AsyncOpenAI, answers: Answers) -> None:
    stream = await async_openai.chat.completions.create(
        model=MODEL, stream=True, messages=[{"role": "user", "content": "Count to four, slowly."}]
    )
    text = ""
    async for chunk in stream:
        answers.add(chunk)
        text += chunk.choices[0].delta.content or ""
    assert text


def test_tools(openai: OpenAI, answers: Answers) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Will I need an umbrella in Bern?"}]
    asked = openai.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    answers.add(asked)
    calls = asked.choices[0].message.tool_calls
    assert calls
    call = calls[0]
    assert call.type == "function"
    assert set(json.loads(call.function.arguments)) == {"city", "unit"}
    messages.append(
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        }
    )
    messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps({"rain": 0.9})})
    told = openai.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert told.choices[0].message.content
    answers.add(told)


async def test_tools_stream_async(async_openai: AsyncOpenAI, answers: Answers) -> None:
    arguments = ""
    async with async_openai.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "And in Chur?"}], tools=[WEATHER]
    ) as stream:
        async for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                arguments += event.arguments_delta
        completion = await stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls
    assert calls
    assert calls[0].function.arguments == arguments
    answers.add(completion.choices[0].message.model_dump_json())


async def test_many_at_once(async_openai: AsyncOpenAI, answers: Answers) -> None:
    async def ask(canton: str) -> str:
        completion = await async_openai.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": f"What is the capital of the canton of {canton}?"}]
        )
        return f"{canton}: {completion.choices[0].message.content}"

    cantons = ["Zug", "Uri", "Jura", "Waadt", "Bern", "Glarus", "Tessin", "Wallis", "Schwyz", "Aargau"]
    told = await asyncio.gather(*(ask(canton) for canton in cantons))
    assert len(set(told)) == len(cantons)
    for line in told:
        answers.add(line)


def test_retry_after_500(openai: OpenAI, answers: Answers) -> None:
    completion = openai.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Please fail once with 500, then tell me a joke."}]
    )
    answers.add(completion)


def test_prompt_with_time_and_id(openai: OpenAI, answers: Answers) -> None:
    now = datetime.now(UTC).isoformat()
    completion = openai.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": f"It is {now}. The conversation is {uuid4()}."},
            {"role": "user", "content": "Good morning!"},
        ],
    )
    answers.add(completion)
