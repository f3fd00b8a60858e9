"""The google-genai SDK: over httpx2, over aiohttp, and its resumable uploads."""

from __future__ import annotations

import functools
import io
from typing import Any

import httpx2
from google import genai
from google.genai import types

from tests.clients.case import REPLAYING, Client
from tests.clients.cases.pictures import other_pixel, picture, sized

client = Client("gemini")

MODEL = "gemini-x"
WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="weather", parameters=types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING")}))
    ]
)
TOWN = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="weather", parameters=types.Schema(type="OBJECT", properties={"town": types.Schema(type="STRING")}))
    ]
)
CALL = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
OTHER_CALL = types.GenerateContentConfig(tools=[TOWN], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
DRAW = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])


@functools.cache
def api(url: str, *, key: str | None = None, httpx_async: bool = False) -> genai.Client:
    """Asynchronous calls go over aiohttp unless a client of httpx2 is given. Kept: the SDK's clients close when they are forgotten."""
    options = types.HttpOptions(base_url=url)
    if httpx_async:
        options.httpx_async_client = httpx2.AsyncClient()
    return genai.Client(api_key=key, http_options=options)


def generate(url: str, contents: Any = "Say hello.", model: str = MODEL, **more: Any) -> Any:
    return api(url).models.generate_content(model=model, contents=contents, **more)


plain = client.case("gemini.generate.sync")(generate)
plain.but("another prompt", cause="text")(lambda url: generate(url, "Say goodbye."))
plain.but("another model in the path", cause="url")(lambda url: generate(url, model="gemini-y"))
plain.but("streamed", cause="url")(lambda url: [*api(url).models.generate_content_stream(model=MODEL, contents="Say hello.")])
plain.but("another key", cause="credential")(
    lambda url: api(url, key="another").models.generate_content(model=MODEL, contents="Say hello.")
)
plain.but("counted", cause="url")(lambda url: api(url).models.count_tokens(model=MODEL, contents="Say hello."))
client.case("gemini.generate.async")(lambda url: api(url).aio.models.generate_content(model=MODEL, contents="Say hello.")).but(
    "another prompt", cause="text"
)(lambda url: api(url).aio.models.generate_content(model=MODEL, contents="Say goodbye."))
client.case("gemini.generate.async.httpx2")(
    lambda url: api(url, httpx_async=True).aio.models.generate_content(model=MODEL, contents="Say hello.")
).but("another prompt", cause="text")(
    lambda url: api(url, httpx_async=True).aio.models.generate_content(model=MODEL, contents="Say goodbye.")
)
client.case("gemini.generate_tools.sync")(lambda url: generate(url, config=CALL)).but("another schema", cause="tools")(
    lambda url: generate(url, config=OTHER_CALL)
)


def see(url: str, image: bytes) -> Any:
    return generate(url, ["What?", types.Part.from_bytes(data=image, mime_type="image/png")])


client.case("gemini.generate_image_in.sync")(lambda url: see(url, picture())).but("another pixel", cause="media")(
    lambda url: see(url, other_pixel())
)
client.case("gemini.generate_image_in.sync.200kb")(lambda url: see(url, sized(200_000))).but("another image", cause="media")(
    lambda url: see(url, sized(200_000, 1))
)
client.case("gemini.generate_image_out.sync")(lambda url: generate(url, config=DRAW)).but("no image", cause="removed-key")(generate)
client.case("gemini.generate_image_out.async")(
    lambda url: api(url).aio.models.generate_content(model=MODEL, contents="Say hello.", config=DRAW)
).but("another prompt", cause="text")(lambda url: api(url).aio.models.generate_content(model=MODEL, contents="Say goodbye.", config=DRAW))

client.case("gemini.stream.sync")(lambda url: [*api(url).models.generate_content_stream(model=MODEL, contents="Say hello.")]).but(
    "another prompt", cause="text"
)(lambda url: [*api(url).models.generate_content_stream(model=MODEL, contents="Say goodbye.")])


async def stream_async(url: str, text: str = "Say hello.", *, httpx_async: bool = False) -> Any:
    stream = await api(url, httpx_async=httpx_async).aio.models.generate_content_stream(model=MODEL, contents=text)
    return [chunk async for chunk in stream]


for way, httpx_async in (("", False), (".httpx2", True)):
    client.case(f"gemini.stream.async{way}")(lambda url, h=httpx_async: stream_async(url, httpx_async=h)).but(
        "another prompt", cause="text"
    )(lambda url, h=httpx_async: stream_async(url, "Say goodbye.", httpx_async=h))
client.case("gemini.count_tokens.sync")(lambda url: api(url).models.count_tokens(model=MODEL, contents="Say hello.")).but(
    "another prompt", cause="text"
)(lambda url: api(url).models.count_tokens(model=MODEL, contents="Say goodbye."))
client.case("gemini.count_tokens.async")(lambda url: api(url).aio.models.count_tokens(model=MODEL, contents="Say hello.")).but(
    "another prompt", cause="text"
)(lambda url: api(url).aio.models.count_tokens(model=MODEL, contents="Say goodbye."))
client.case("gemini.embed.sync")(lambda url: api(url).models.embed_content(model=MODEL, contents=["one", "two"])).but(
    "array order", cause="array-order"
)(lambda url: api(url).models.embed_content(model=MODEL, contents=["two", "one"]))


def upload(url: str, data: bytes, **config: Any) -> Any:
    files = api(url).files
    sent = files.upload(file=io.BytesIO(data), config=types.UploadFileConfig(mime_type="image/png", **config))
    return [sent, files.get(name=sent.name or "")]


uploaded = client.case("gemini.files_upload.sync")(lambda url: upload(url, picture()))
uploaded.but("another pixel", cause="media")(lambda url: upload(url, other_pixel()))
uploaded.but("another display name", cause="added-key")(lambda url: upload(url, picture(), display_name="b.png"))
client.case("gemini.files_upload.sync.200kb")(lambda url: upload(url, sized(200_000))).but("another image", cause="media")(
    lambda url: upload(url, sized(200_000, 1))
)
AS_PNG = types.UploadFileConfig(mime_type="image/png")
client.case("gemini.files_upload.async")(lambda url: api(url).aio.files.upload(file=io.BytesIO(picture()), config=AS_PNG)).but(
    "another pixel", cause="media"
)(lambda url: api(url).aio.files.upload(file=io.BytesIO(other_pixel()), config=AS_PNG))


def upload_twice(url: str, data: bytes) -> Any:
    """The same file object for two uploads: the SDK rewinds it, and takes none that it cannot rewind."""
    file = io.BytesIO(data)
    return [api(url).files.upload(file=file, config=AS_PNG) for _ in range(2)]


client.case("gemini.files_upload.sync.twice")(lambda url: upload_twice(url, picture())).but("another pixel", cause="media")(
    lambda url: upload_twice(url, other_pixel())
)

# --- retries: of a call, where the user asks for them, and of a piece of an upload

PATIENT = types.HttpRetryOptions(attempts=4, initial_delay=0.01, max_delay=0.02)


def retried(url: str, text: str) -> Any:
    options = types.HttpOptions(base_url=url, retry_options=PATIENT)
    with genai.Client(http_options=options) as patient:
        return patient.models.generate_content(model=MODEL, contents=text)


async def retried_async(url: str, text: str) -> Any:
    options = types.HttpOptions(base_url=url, retry_options=PATIENT)
    async with genai.Client(http_options=options).aio as patient:
        return await patient.models.generate_content(model=MODEL, contents=text)


for status in (500, 429):
    failing = f"fail twice with {status}"
    client.case(f"gemini.generate.sync.retry_{status}")(lambda url, f=failing: retried(url, f)).but("another prompt", cause="text")(
        lambda url, f=failing: retried(url, f"two: {f}")
    )
    client.case(f"gemini.generate.async.retry_{status}")(lambda url, f=failing: retried_async(url, f"async: {f}")).but(
        "another prompt", cause="text"
    )(lambda url, f=failing: retried_async(url, f"two: {f}"))
client.case("gemini.files_upload.sync.retry_500.bytesio")(lambda url: upload(url, picture() + b"fail once with 500")).but(
    "another pixel", cause="media"
)(lambda url: upload(url, other_pixel() + b"fail once with 500"))

# --- polling


def imported(url: str, file: str = "files/one") -> Any:
    """An operation is asked about until it is done, and in the second run once more."""
    operation: Any = api(url).file_search_stores.import_file(file_search_store_name="fileSearchStores/s", file_name=file)
    asked = 0
    while not operation.done and asked < 10:
        operation, asked = api(url).operations.get(operation), asked + 1
    return api(url).operations.get(operation) if REPLAYING else operation


client.case("gemini.operations.sync.poll")(imported).but("another file", cause="text")(lambda url: imported(url, "files/two"))


async def imported_async(url: str, file: str = "files/three") -> Any:
    stores, operations = api(url).aio.file_search_stores, api(url).aio.operations
    operation: Any = await stores.import_file(file_search_store_name="fileSearchStores/s", file_name=file)
    asked = 0
    while not operation.done and asked < 10:
        operation, asked = await operations.get(operation), asked + 1
    return await operations.get(operation) if REPLAYING else operation


client.case("gemini.operations.async.poll")(imported_async).but("another file", cause="text")(lambda url: imported_async(url, "files/four"))
