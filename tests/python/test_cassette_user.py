"""What users bring along: filters, matchers, serializers, hooks, and every form in which vcrpy takes a cassette."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import llm_vcr
import pytest
import vcr as vcrpy
from llm_vcr.playback.cassette import Cassette
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.persisters.filesystem import CassetteDecodeError
from vcr.serializers import yamlserializer

from tests.fake_provider import FakeProvider

HEADERS = {"Authorization": "Bearer sk-any", "X-Tenant": "acme"}


@pytest.fixture
def url(provider: FakeProvider) -> str:
    return f"{provider.url}/v1/chat/completions"


def ask(url: str, prompt: str = "hello", **more: Any) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], **more}
    return httpx2.post(url, json=body, headers=HEADERS, timeout=10).text


def replayed(ours: Any, path: Path, url: str, *prompts: str, **options: Any) -> list[str]:
    """Ask each prompt live, then replay it and see that nothing goes live."""
    with ours.use_cassette(path, **options) as cassette:
        first = [ask(url, one) for one in prompts]
        assert (cassette.counts.live, cassette.counts.recorded) == (len(prompts), len(prompts))
    with ours.use_cassette(path, **{**options, "record_mode": "none"}) as cassette:
        assert [ask(url, one) for one in prompts] == first
        assert cassette.counts.played == len(prompts)
    return first


# --- filters


def test_a_users_filter_runs_after_ours(url: str, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def mine(request: Any) -> Any:
        seen.append(dict(request.headers))
        request.headers["X-Mine"] = "1"
        return request

    replayed(llm_vcr.VCR(before_record_request=mine), tmp_path / "a.yaml", url, "one")
    assert seen
    assert all("x-llm-vcr-key" in one and "authorization" not in {name.lower() for name in one} for one in seen)
    assert "X-Mine" in (tmp_path / "a.yaml").read_text()


@pytest.mark.parametrize("name", ["before_record_request", "before_record"])
@pytest.mark.parametrize("where", ["vcr", "cassette"])
def test_what_a_users_filter_leaves_out_is_nobodys(provider: FakeProvider, url: str, tmp_path: Path, name: str, where: str) -> None:
    mine: dict[str, Any] = {name: lambda request: None if b"private" in (request.body or b"") else request}
    ours = llm_vcr.VCR(**mine if where == "vcr" else {})
    options = mine if where == "cassette" else {}
    with ours.use_cassette(tmp_path / "a.yaml", **options) as cassette:
        ask(url, "private")
        ask(url, "public")
    assert (cassette.counts.live, cassette.counts.recorded, len(cassette)) == (1, 1, 1)
    assert "private" not in (tmp_path / "a.yaml").read_text()
    with ours.use_cassette(tmp_path / "a.yaml", record_mode="none", **options) as cassette:
        ask(url, "private")
        ask(url, "public")
    assert (cassette.counts.played, cassette.counts.refused) == (1, 0)
    assert provider.count == 3


def test_a_filter_cannot_delete_what_is_stored(url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR().use_cassette(path):
        ask(url, "one")
        ask(url, "two")

    def only_new(request: Any) -> Any:
        return request if b"three" in request.body else None

    def nothing(response: Any) -> Any:
        return None

    with llm_vcr.VCR(record_mode="new_episodes", before_record_request=only_new).use_cassette(path) as cassette:
        ask(url, "three")
        assert len(cassette) == 3
    with llm_vcr.VCR(record_mode="new_episodes", before_record_response=nothing).use_cassette(path) as cassette:
        ask(url, "four")
    assert cassette.why_not_kept() == ["dropped by before_record_response"]
    with llm_vcr.VCR(record_mode="none").use_cassette(path) as cassette:
        assert len(cassette) == 3


def test_a_users_answer_filter_is_not_run_on_the_clients_answer(url: str, tmp_path: Path) -> None:
    def mine(response: Any) -> Any:
        response["body"]["string"] = response["body"]["string"].replace(b"Answer", b"ANSWER")
        response["headers"]["x-mine"] = ["1"]
        return response

    ours = llm_vcr.VCR(before_record_response=mine)
    with ours.use_cassette(tmp_path / "a.yaml"):
        ask(url)
    with ours.use_cassette(tmp_path / "a.yaml", record_mode="none"):
        assert "ANSWER" in ask(url)


@pytest.mark.parametrize(
    "options",
    [
        {"filter_headers": ["x-tenant"]},
        {"filter_headers": [("x-tenant", "someone")]},
        {"filter_headers": ["authorization", "X-Tenant"]},
        {"filter_query_parameters": ["tenant"]},
        {"filter_post_data_parameters": ["user"]},
        {"filter_sensitive_data": {"<TENANT>": "acme"}},
    ],
    ids=str,
)
def test_vcrpys_own_filters_work_beside_ours(url: str, tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "a.yaml"
    replayed(llm_vcr.VCR(**options), path, url + "?tenant=acme", "one", "two")
    text = path.read_text()
    hidden = {"filter_headers": "X-Tenant:\n      - acme", "filter_query_parameters": "tenant=acme"}.get(next(iter(options)), "\0")
    assert hidden not in text
    assert "sk-any" not in text
    if "filter_sensitive_data" in options:
        assert "acme" not in text
        assert "<TENANT>" in text


def test_hosts_to_ignore_are_nobodys(url: str, tmp_path: Path) -> None:
    for options in ({"ignore_localhost": True}, {"ignore_hosts": ["127.0.0.1"]}):
        with llm_vcr.VCR(**options).use_cassette(tmp_path / "a.yaml") as cassette:
            ask(url)
        assert cassette.counts == type(cassette.counts)()
    assert not (tmp_path / "a.yaml").exists()


def test_interaction_hooks_see_what_is_stored(url: str, tmp_path: Path) -> None:
    saved, loaded = [], []

    def on_save(request: Any, response: Any) -> Any:
        saved.append((request.body, dict(request.headers)))
        return (request, response) if b"drop me" not in request.body else None

    def on_load(request: Any, response: Any, cassette: Any) -> Any:
        loaded.append((request.body, cassette))
        return request, response

    ours = llm_vcr.VCR(before_save_interaction=on_save, after_load_interaction=on_load)
    with ours.use_cassette(tmp_path / "a.yaml"):
        ask(url, "keep me")
        ask(url, "drop me")
    assert len(saved) == 2
    assert all("sk-any" not in str(headers) for _, headers in saved)
    with ours.use_cassette(tmp_path / "a.yaml", record_mode="none") as cassette:
        assert len(cassette) == 1
    ((body, given),) = loaded
    assert b"keep me" in body
    assert given is cassette


# --- matching


def test_a_users_match_on_wins(provider: FakeProvider, url: str, tmp_path: Path) -> None:
    ours = llm_vcr.VCR(match_on=["method", "uri"])
    with ours.use_cassette(tmp_path / "a.yaml"):
        first = ask(url, "one")
    with ours.use_cassette(tmp_path / "a.yaml", record_mode="none") as cassette:
        assert ask(url, "another") == first
        assert "match_on has no body" in cassette.notes[0]
    with ours.use_cassette(tmp_path / "a.yaml", match_on=["llm_request"], record_mode="none"):
        assert ask(url, "one", user="somebody") == first
    assert provider.count == 1


def test_a_match_on_without_a_body_is_no_accident_where_it_is_named(provider: FakeProvider, url: str, tmp_path: Path) -> None:
    default = inspect.signature(vcrpy.VCR.__init__).parameters["match_on"].default
    named = (llm_vcr.VCR(match_on=list(default)), llm_vcr.VCR(match_on=default), llm_vcr.VCR(**llm_vcr.vcr_config(match_on=default)))
    for number, ours in enumerate((llm_vcr.VCR(), *named)):
        given = {} if number else {"match_on": [*default]}
        with ours.use_cassette(tmp_path / f"{number}.yaml", **given):
            first = ask(url, "one")
        with ours.use_cassette(tmp_path / f"{number}.yaml", record_mode="none", **given) as cassette:
            assert ask(url, "another") == first
            assert "match_on has no body" in cassette.notes[0]
    assert provider.count == 4


@pytest.mark.parametrize("by_body", [False, True])
def test_a_miss_names_the_matcher_that_says_no(url: str, tmp_path: Path, by_body: bool) -> None:
    def organization(incoming: Any, recorded: Any) -> None:
        assert incoming.headers.get("x-organization") == recorded.headers.get("x-organization"), "another organization"

    ours = llm_vcr.VCR(match_on=["method", "host", *(["llm_body"] if by_body else []), "organization"])
    ours.register_matcher("organization", organization)
    body = b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "one"}]}'
    with ours.use_cassette(tmp_path / "a.yaml"):
        httpx2.post(url, content=body, headers={**HEADERS, "x-organization": "mine"})
    with ours.use_cassette(tmp_path / "a.yaml", record_mode="none") as cassette:
        for other in (body.replace(b": ", b":"), body.replace(b"one", b"two")):
            with pytest.raises(CannotOverwriteExistingCassetteException):
                httpx2.post(url, content=other, headers={**HEADERS, "x-organization": "yours"})
        formatted, changed = cassette.misses
    assert (formatted.cause, formatted.path) == ("match_on", "organization")
    assert formatted.here.startswith("another organization")
    assert (changed.cause, changed.path) == (("text", "messages[0].content") if by_body else ("match_on", "organization"))


def test_vcrpys_default_is_replaced_where_nobody_named_it(provider: FakeProvider, url: str, tmp_path: Path) -> None:
    ours = (
        llm_vcr.VCR(),
        llm_vcr.install(vcrpy.VCR()),
        llm_vcr.install(vcrpy.VCR(**llm_vcr.vcr_config())),
        llm_vcr.VCR(**llm_vcr.vcr_config()),
    )
    for number, one in enumerate(ours):
        with one.use_cassette(tmp_path / "a.yaml", record_mode="new_episodes") as cassette:
            ask(url, f"question {number}")
            assert not cassette.notes
    assert provider.count == 4


# --- forms


def test_json_as_serializer(url: str, tmp_path: Path) -> None:
    replayed(llm_vcr.VCR(serializer="json"), tmp_path / "a.json", url, "one ☀", "two")
    assert (tmp_path / "a.json").read_text().startswith("{")


def test_a_serializer_of_the_users(url: str, tmp_path: Path) -> None:
    class Upside:
        @staticmethod
        def serialize(data: Any) -> str:
            return yamlserializer.serialize(data)[::-1]

        @staticmethod
        def deserialize(text: str) -> Any:
            return yamlserializer.deserialize(text[::-1])

    ours = llm_vcr.VCR(serializer="upside")
    ours.register_serializer("upside", Upside)
    replayed(ours, tmp_path / "a.txt", url, "one")
    assert "snoitcaretni" in (tmp_path / "a.txt").read_text()


def test_a_library_directory_and_a_transformer_of_paths(url: str, tmp_path: Path) -> None:
    ours = llm_vcr.VCR(cassette_library_dir=str(tmp_path / "lib"), path_transformer=vcrpy.VCR.ensure_suffix(".yaml"))
    replayed(ours, Path("sub/a"), url, "one")
    assert (tmp_path / "lib" / "sub" / "a.yaml").is_file()


def test_the_cassette_is_injected(url: str, tmp_path: Path) -> None:
    ours = llm_vcr.VCR(inject_cassette=True, cassette_library_dir=str(tmp_path))

    @ours.use_cassette("a.yaml")
    def function(cassette: Cassette, prompt: str) -> str:
        assert isinstance(cassette, Cassette)
        return ask(url, prompt)

    assert function("one") == function("one")


def test_it_decorates_functions_coroutines_and_generators(provider: FakeProvider, url: str, tmp_path: Path) -> None:
    ours = llm_vcr.VCR(cassette_library_dir=str(tmp_path))

    @ours.use_cassette
    def plain() -> str:
        return ask(url, "plain")

    @ours.use_cassette("coroutine.yaml")
    async def coroutine() -> str:
        async with httpx2.AsyncClient(headers=HEADERS) as client:
            answer = await client.post(url, json={"model": "m", "messages": [{"role": "user", "content": "coroutine"}]})
        return answer.text

    @ours.use_cassette("generator.yaml")
    def generator() -> Iterator[str]:
        yield ask(url, "one")
        yield ask(url, "two")

    class Case:
        @ours.use_cassette()
        def method(self) -> str:
            return ask(url, "method")

    first = plain(), asyncio.run(coroutine()), [*generator()], Case().method()
    assert provider.count == 5
    provider.stop()
    assert (plain(), asyncio.run(coroutine()), [*generator()], Case().method()) == first
    assert sorted(one.name for one in tmp_path.iterdir()) == ["coroutine.yaml", "generator.yaml", "method", "plain"]


def test_settings_of_one_cassette(provider: FakeProvider, url: str, tmp_path: Path) -> None:
    ours = llm_vcr.VCR(ignore=["user"])
    with ours.use_cassette(tmp_path / "a.yaml", status=[401], record_mode="new_episodes") as cassette:
        httpx2.post(url, json={"messages": []}, headers={"Authorization": "Bearer invalid"}, timeout=10)
        assert cassette.counts.recorded == 1
        ask(url, "one", user="a")
    with ours.use_cassette(tmp_path / "a.yaml", record_mode="none"):
        ask(url, "one", user="b")
    assert provider.count == 2
    with pytest.raises(llm_vcr.ConfigError, match="media"):
        ours.use_cassette(tmp_path / "a.yaml", media="some").__enter__()


def test_changes_after_decorating_count(url: str, tmp_path: Path) -> None:
    ours = llm_vcr.VCR(cassette_library_dir=str(tmp_path))

    @ours.use_cassette("a.yaml")
    def function() -> str:
        return ask(url)

    function()
    ours.record_mode = "none"
    ours.match_on = ["method", "uri", "headers"]
    function()
    ours.match_on = ["method", "uri", "llm_body"]
    function()


def test_one_object_serves_many_cassettes(provider: FakeProvider, url: str, tmp_path: Path) -> None:
    ours = llm_vcr.VCR()
    for name in "abc":
        replayed(ours, tmp_path / f"{name}.yaml", url, name)
    assert provider.count == 3


def test_metadata_of_vcrpys_is_kept(url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR().use_cassette(path) as cassette:
        assert cassette.get_metadata("seed", 42) == 42
        ask(url, "one")
    with llm_vcr.VCR(record_mode="new_episodes").use_cassette(path) as cassette:
        assert cassette.get_metadata("seed", 43) == 42
        ask(url, "two")
    with vcrpy.VCR(record_mode="none").use_cassette(str(path)) as stock:
        assert stock.get_metadata("seed", 0) == 42
        assert len(stock) == 2


def test_a_fresh_start_replaces_what_was_there_if_it_is_kept(provider: FakeProvider, url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR().use_cassette(path):
        ask(url, "one")
        ask(url, "two")
    before = path.read_bytes()
    ours = llm_vcr.VCR(record_mode="new_episodes")
    again = llm_vcr.install(vcrpy.VCR(record_mode="new_episodes"), policy=replace(ours._llm_vcr_policy, fresh_start=True))
    for gate in ("the test failed", None):
        opened = again.use_cassette(path)
        with opened as cassette:
            assert len(cassette) == 0
            ask(url, "two")
            ask(url, "three")
            cassette.gate = gate
        assert (path.read_bytes() == before) == (gate is not None)
    with llm_vcr.VCR(record_mode="none").use_cassette(path) as cassette:
        assert ["three" in str(one.body) for one in cassette.requests] == [False, True]
    assert provider.count == 6


class Undecodable:
    """A persister of the user's whose cassette is there and cannot be decoded."""

    saved: ClassVar[list[str]] = []

    @staticmethod
    def load_cassette(path: str, serializer: Any) -> Any:
        raise CassetteDecodeError(path)

    @classmethod
    def save_cassette(cls, path: str, cassette: dict[str, Any], serializer: Any) -> None:
        cls.saved.append(path)


def test_a_users_persister_may_say_that_it_cannot_decode(url: str) -> None:
    vcr = llm_vcr.VCR()
    vcr.register_persister(Undecodable)
    with vcr.use_cassette("undecodable") as cassette:
        ask(url)
    assert (cassette.counts.recorded, Undecodable.saved) == (1, ["undecodable"])


def test_a_keyword_that_nobody_knows_is_passed_over_as_by_vcrpy(url: str, tmp_path: Path) -> None:
    with llm_vcr.VCR().use_cassette(str(tmp_path / "a.yaml"), mode="none") as cassette:
        ask(url)
    assert cassette.counts.recorded == 1
