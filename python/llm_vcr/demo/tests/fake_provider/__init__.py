"""A stand-in for LLM providers on 127.0.0.1: real shapes, made-up answers, every call counted.

As a library::

    with FakeProvider() as provider:
        client = OpenAI(base_url=provider.url + "/v1", api_key="anything")
        ...
        assert provider.count == 1

As a process: ``python -m tests.fake_provider --port 0 --announce FILE --log FILE`` (see `__main__`).

One file per provider. Another one is a class with the methods of `exchange.Provider`, listed in `server.PROVIDERS`.
"""

from tests.fake_provider.exchange import Call, Part, Provider, Reply, Request, Turn
from tests.fake_provider.media import noise_png, png_size, silent_mp3, tone_wav
from tests.fake_provider.server import FakeProvider

__all__ = [
    "Call",
    "FakeProvider",
    "Part",
    "Provider",
    "Reply",
    "Request",
    "Turn",
    "noise_png",
    "png_size",
    "silent_mp3",
    "tone_wav",
]
