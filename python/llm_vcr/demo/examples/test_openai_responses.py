"""The responses API and embeddings."""

import base64

from conftest import Answers
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import FunctionToolParam

MODEL = "gpt-6-luna"

CLOCK: FunctionToolParam = {
    "type": "function",
    "name": "get_time",
    "description": "The time at a place.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


def test_responses(openai: OpenAI, answers: Answers) -> None:
    first = openai.responses.create(
        model=MODEL,
        instructions="Answer in one sentence.",
        input="Why is the sky blue?",
        include=["reasoning.encrypted_content"],
    )
    assert first.output_text
    second = openai.responses.create(model=MODEL, previous_response_id=first.id, input="And at sunset?")
    assert second.output_text != first.output_text
    answers.add(first)
    answers.add(second)


async def test_responses_stream_async(async_openai: AsyncOpenAI, answers: Answers) -> None:
    text = ""
    async with async_openai.responses.stream(model=MODEL, input="Tell me about cheese.") as stream:
        async for event in stream:
            if event.type == "response.output_text.delta":
                text += event.delta
        response = await stream.get_final_response()
    assert response.output_text == text
    answers.add(text)
    answers.add(response.id)


def test_responses_stream(openai: OpenAI, answers: Answers) -> None:
    kinds = []
    for event in openai.responses.create(model=MODEL, input="Tell me about chocolate.", stream=True):
        kinds.append(event.type)
        answers.add(event)
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


async def test_responses_tool_async(async_openai: AsyncOpenAI, answers: Answers) -> None:
    asked = await async_openai.responses.create(model=MODEL, input="How late is it in Basel?", tools=[CLOCK])
    answers.add(asked)
    call = asked.output[0]
    assert call.type == "function_call"
    told = await async_openai.responses.create(
        model=MODEL,
        previous_response_id=asked.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "12:34"}],
        tools=[CLOCK],
    )
    assert told.output_text
    answers.add(told)


def test_responses_image_generation(openai: OpenAI, answers: Answers) -> None:
    response = openai.responses.create(
        model=MODEL,
        input="Draw a marmot.",
        tools=[{"type": "image_generation", "size": "1024x1024"}],
    )
    drawn = next(item for item in response.output if item.type == "image_generation_call")
    assert drawn.result
    answers.media(base64.b64decode(drawn.result, validate=True))
    answers.add(response.id)
    answers.add(response.output_text)


def test_embeddings(openai: OpenAI, answers: Answers) -> None:
    # The SDK asks for base64 and hands out floats.
    response = openai.embeddings.create(model="text-embedding-3-small", input=["glacier", "avalanche"])
    assert [len(item.embedding) for item in response.data] == [1536, 1536]
    answers.add(response)


async def test_embeddings_float_async(async_openai: AsyncOpenAI, answers: Answers) -> None:
    response = await async_openai.embeddings.create(
        model="text-embedding-3-large", input="cable car", dimensions=256, encoding_format="float"
    )
    assert len(response.data[0].embedding) == 256
    answers.add(response)
