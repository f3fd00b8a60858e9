"""Audio and files: multipart uploads, answers in text and in sound."""

import io
from pathlib import Path

from conftest import Answers
from openai import AsyncOpenAI, OpenAI

MODEL = "gpt-4o-transcribe"


def test_transcription(openai: OpenAI, answers: Answers, speech: bytes) -> None:
    response = openai.audio.transcriptions.create(model=MODEL, file=("speech.wav", speech, "audio/wav"))
    assert response.text
    answers.add(response)


async def test_transcription_open_file_async(async_openai: AsyncOpenAI, answers: Answers, speech: bytes, tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    path.write_bytes(speech)
    with path.open("rb") as file:
        text = await async_openai.audio.transcriptions.create(model=MODEL, file=file, language="de", response_format="text")
    assert "speech.wav" in text
    answers.add(text)


def test_transcription_stream(openai: OpenAI, answers: Answers, speech: bytes) -> None:
    file = io.BytesIO(speech)
    file.name = "stream.wav"
    text = ""
    for event in openai.audio.transcriptions.create(model=MODEL, file=file, stream=True):
        if event.type == "transcript.text.delta":
            text += event.delta
        elif event.type == "transcript.text.done":
            assert event.text == text
    assert "stream.wav" in text
    answers.add(text)


def test_speech(openai: OpenAI, answers: Answers) -> None:
    spoken = openai.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="Good evening.")
    answers.media(spoken.content)


async def test_speech_stream_async(async_openai: AsyncOpenAI, answers: Answers) -> None:
    data = b""
    async with async_openai.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Good night.", response_format="wav"
    ) as spoken:
        async for piece in spoken.iter_bytes():
            data += piece
    answers.media(data)


def test_file_upload(openai: OpenAI, answers: Answers) -> None:
    lines = b'{"messages": [{"role": "user", "content": "hi"}]}\n' * 200
    file = openai.files.create(file=("training.jsonl", io.BytesIO(lines)), purpose="fine-tune")
    assert file.bytes == len(lines)
    answers.add(file)
    answers.add(openai.files.retrieve(file.id))
    assert openai.files.content(file.id).content == lines
    answers.add(openai.files.delete(file.id))
