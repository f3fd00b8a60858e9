"""Images: generated (megabytes of base64) and edited (multipart, in every form the SDK takes)."""

import base64
import io
from pathlib import Path

from conftest import Answers
from openai import AsyncOpenAI, OpenAI
from openai.types import ImagesResponse

MODEL = "gpt-image-2"
PIXELS = {"data": {"__all__": {"b64_json"}}}


def keep(response: ImagesResponse, answers: Answers, *, count: int = 1) -> None:
    assert response.data is not None
    assert len(response.data) == count
    for image in response.data:
        assert image.b64_json
        data = base64.b64decode(image.b64_json, validate=True)
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        answers.media(data)
    answers.add(response, without=PIXELS)


def test_generate(openai: OpenAI, answers: Answers) -> None:
    keep(openai.images.generate(model=MODEL, prompt="A cat on a glacier", size="1024x1024"), answers)


async def test_generate_two_async(async_openai: AsyncOpenAI, answers: Answers) -> None:
    response = await async_openai.images.generate(model=MODEL, prompt="A dog on a lake", size="1024x1536", n=2)
    keep(response, answers, count=2)


def test_generate_stream(openai: OpenAI, answers: Answers) -> None:
    kinds = []
    for event in openai.images.generate(model=MODEL, prompt="A cow on a meadow", size="512x512", stream=True, partial_images=1):
        kinds.append(event.type)
        answers.media(base64.b64decode(event.b64_json, validate=True))
        answers.add(event, without={"b64_json"})
    assert kinds == ["image_generation.partial_image", "image_generation.completed"]


def test_edit_bytes(openai: OpenAI, answers: Answers, photo: bytes) -> None:
    keep(openai.images.edit(model=MODEL, image=photo, prompt="Add a hat", size="1024x1024"), answers)


def test_edit_bytesio(openai: OpenAI, answers: Answers, photo: bytes) -> None:
    file = io.BytesIO(photo)
    file.name = "cat.png"
    keep(openai.images.edit(model=MODEL, image=file, prompt="Add a scarf", size="1024x1024"), answers)


def test_edit_open_file(openai: OpenAI, answers: Answers, photo: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(photo)
    with path.open("rb") as file:
        keep(openai.images.edit(model=MODEL, image=file, prompt="Add boots", size="1024x1024"), answers)


async def test_edit_two_with_mask_async(
    async_openai: AsyncOpenAI, answers: Answers, photo: bytes, second_photo: bytes, mask: bytes
) -> None:
    response = await async_openai.images.edit(
        model=MODEL,
        image=[("first.png", photo, "image/png"), ("second.png", io.BytesIO(second_photo), "image/png")],
        mask=("mask.png", mask, "image/png"),
        prompt="Put the first beside the second",
        size="1024x1024",
    )
    keep(response, answers)


def test_edit_retry_after_500(openai: OpenAI, answers: Answers, photo: bytes) -> None:
    file = io.BytesIO(photo)
    file.name = "retry.png"
    response = openai.images.edit(model=MODEL, image=file, prompt="Please fail once with 500, then add gloves", size="1024x1024")
    # The second attempt sent the whole file again.
    assert response.data is not None
    assert f"{len(photo)} bytes" in (response.data[0].revised_prompt or "")
    keep(response, answers)


async def test_edit_retry_after_500_async(async_openai: AsyncOpenAI, answers: Answers, photo: bytes) -> None:
    response = await async_openai.images.edit(
        model=MODEL,
        image=("retry.png", io.BytesIO(photo), "image/png"),
        prompt="Please fail once with 500, then add skis",
        size="1024x1024",
    )
    keep(response, answers)
