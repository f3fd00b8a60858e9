"""Makes the files beside it: each tool, at the version named, records a few calls to the provider stand-in.

Usage, from the project's root: ``python tests/python/cli/written_by_others/make.py``. It makes a virtual environment for each tool in a
temporary folder (pytest-llm-vcr has our import name, and cassetter's marker is pytest-recording's), so it needs a package index; the tests
only read the files.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]

# What each of them is asked; `PROVIDER` and `HERE` are filled in.
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "grüezi"}], "max_tokens": 50}
CALLS = f"""
import httpx
key = {{"authorization": "Bearer sk-made-up"}}
anthropic_key = {{"x-api-key": "sk-made-up", "anthropic-version": "2023-06-01"}}
chat = {CHAT!r}
claude = dict(chat, model="claude-sonnet-4-5")
"""

LLM_MOCK = """
import llm_mock.providers.openai as openai, llm_mock.providers.anthropic as anthropic
openai.OPENAI_BASE_URL = anthropic.ANTHROPIC_BASE_URL = PROVIDER
from llm_mock import llm_mock
for name, address, body, key in (("openai", "/v1/chat/completions", chat, key), ("anthropic", "/v1/messages", claude, anthropic_key)):
    with llm_mock(mode="record", provider=name, fixture=f"HERE/llm-mock-VERSION-{name}.json"):
        httpx.post(PROVIDER + address, json=body, headers=key).raise_for_status()
        if VERSION >= 2:
            other = dict(body, stream=True, messages=[{"role": "user", "content": "stream"}])
            httpx.post(PROVIDER + address, json=other, headers=key).raise_for_status()
"""

PYTEST_LLM_VCR = """
from pathlib import Path
from llm_vcr.cassette import Cassette
from llm_vcr.transport import VCRTransport
cassette = Cassette(name="chat")
client = httpx.Client(transport=VCRTransport(cassette, record_mode=True))
client.post(PROVIDER + "/v1/chat/completions", json=chat, headers=key).raise_for_status()
plain = {name: value for name, value in chat.items() if name != "max_tokens"}
client.post(PROVIDER + "/v1/chat/completions", json=dict(plain, stream=True), headers=key).raise_for_status()
client.post(PROVIDER + "/v1/chat/completions", json=plain, headers=key).raise_for_status()
client.get(PROVIDER + "/v1/models/gpt-4o", headers=key)
client.post(PROVIDER + "/v1/chat/completions", content=b"no JSON", headers=key)
cassette.save(Path("HERE/pytest-llm-vcr.yaml"))
"""

CASSETTER = """
import cassetter
with cassetter.use_cassette("HERE/cassetter.yaml"):
    httpx.post(PROVIDER + "/v1/chat/completions", json=chat, headers=key).raise_for_status()
    httpx.post(PROVIDER + "/v1/chat/completions", json=dict(chat, stream=True), headers=key).raise_for_status()
    files = {"file": ("a.wav", b"RIFF" + bytes(range(256)))}
    httpx.post(PROVIDER + "/v1/audio/transcriptions", files=files, data={"model": "whisper-1"}, headers=key).raise_for_status()
    httpx.get(PROVIDER + "/v1/models/gpt-4o", headers=key)
"""

TOOLS = {
    "llm-mock==0.1.1": LLM_MOCK.replace("VERSION", "1"),
    "llm-mock==1.0.1": LLM_MOCK.replace("VERSION", "2"),
    "pytest-llm-vcr==0.6.0": PYTEST_LLM_VCR,
    "cassetter==0.16.1": CASSETTER,
}


def main() -> None:
    """Makes them all."""
    sys.path.insert(0, str(ROOT))
    from tests.fake_provider import FakeProvider

    for old in (*HERE.glob("*.json"), *HERE.glob("*.yaml")):
        old.unlink()
    for requirement, script in TOOLS.items():
        with tempfile.TemporaryDirectory() as folder, FakeProvider() as provider:
            venv.create(folder, with_pip=True)
            python = f"{folder}/bin/python"
            subprocess.run([python, "-m", "pip", "install", "--quiet", requirement, "httpx"], check=True)
            whole = CALLS + script.replace("PROVIDER", repr(provider.url)).replace("HERE", str(HERE))
            subprocess.run([python, "-c", whole], check=True)
            # The port is another one each time; what clients were told is `http://provider.test`, and here too.
            for file in (*HERE.glob("*.json"), *HERE.glob("*.yaml")):
                text = file.read_text("utf-8").replace(provider.url, "http://provider.test")
                file.write_text(re.sub(r"\b127\.0\.0\.1:\d+", "provider.test", text), "utf-8")


if __name__ == "__main__":
    main()
