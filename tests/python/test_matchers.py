"""The matchers as drop-in functions: any request with method, uri, headers and body, incoming first, recorded second."""

from __future__ import annotations

import copy
import io
import json
import random
import unicodedata
import uuid
from types import SimpleNamespace
from typing import Any

import llm_vcr
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import ConfigError, matchers
from llm_vcr.config import PLACEHOLDER_KEY, PROVIDER_KEYS, Settings
from llm_vcr.matchers import FIELDS, KEY_HEADER, Matchers
from vcr.matchers import _evaluate_matcher
from vcr.request import Request as VcrRequest

URL = "https://api.openai.com/v1/chat/completions"
JSON = {"Content-Type": "application/json"}
LINES = {"content-type": "application/jsonl"}


def plain(body: Any, headers: Any = None, url: str = URL) -> Any:
    return VcrRequest("POST", url, body, JSON if headers is None else headers)


def bare(body: Any, headers: Any = None, url: str = URL) -> Any:
    return SimpleNamespace(method="POST", uri=url, body=body, headers=JSON if headers is None else headers)


def agree(matcher: Any, incoming: Any, recorded: Any) -> bool:
    matched, reason = _evaluate_matcher(matcher, incoming, recorded)
    assert matched is True or reason, "a mismatch without a reason"
    return bool(matched)


MAKERS = pytest.mark.parametrize("make", [plain, bare])


def form(
    boundary: str, *, name: str = "a.png", data: bytes = b"\x89PNG\r\n\x1a\n", kind: str = "image/png"
) -> tuple[bytes, dict[str, str]]:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode() + data + f"\r\n--{boundary}--\r\n".encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}


SAME: list[tuple[str, Any, Any]] = [
    ("key order and white space", ('{"a": 1, "b": [1, 2]}',), ('{"b":[1,2],"a":1}',)),
    ("escapes", ('{"a": "\\u00e9\\/"}',), ('{"a":"é/"}',)),
    ("boundaries", form("8087456ce76304f982d564cf9fe967c6"), form("xyz")),
    ("boundary, header as bytes", (form("a")[0], {b"content-type": b"multipart/form-data; boundary=a"}), form("b")),
    ("uuids", ('{"a": "550e8400-e29b-41d4-a716-446655440000"}',), ('{"a": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}',)),
    ("times", ('{"a": "2026-11-21T10:00:00Z"}',), ('{"a": "2025-01-01T23:59:59Z"}',)),
    ("epochs", ('{"a": 1795000000}',), ('{"a": 1795000001}',)),
    ("bytes and str", (b'{"a": "\xc3\xa9"}',), ('{"a": "é"}',)),
    ("a dict, as aiohttp records it", ({"a": 1}, {}), ('{"a":1}',)),
    ("a file", (io.BytesIO(b'{"a":1}'),), ('{"a":1}',)),
    ("an iterator", (iter([b'{"a"', b":1}"]),), ('{"a":1}',)),
    (
        "JSON lines",
        ('{"b":1,"a":2}\n{"c":3}\n', {"content-type": "application/jsonl"}),
        ('{"a": 2, "b": 1}\n{"c": 3}', {"content-type": "application/jsonl"}),
    ),
    ("nothing and nothing", (None, {}), (b"", {})),
    ("parameters of a type", ("{}", {"content-type": "application/json; charset=utf-8"}), ("{}", {"content-type": "APPLICATION/json"})),
]

OTHER: list[tuple[str, Any, Any]] = [
    ("1 and 1.0", ('{"a": 1}',), ('{"a": 1.0}',)),
    ("1 and true", ('{"a": 1}',), ('{"a": true}',)),
    ("1 and a string", ('{"a": 1}',), ('{"a": "1"}',)),
    ("1.0 and 1e0", ('{"a": 1.0}',), ('{"a": 1e0}',)),
    ("null and absent", ('{"a": null}',), ("{}",)),
    ("null and an empty string", ('{"a": null}',), ('{"a": ""}',)),
    ("duplicate keys in another order", ('{"a": 1, "a": 2}',), ('{"a": 2, "a": 1}',)),
    ("a duplicate key", ('{"a": 1, "a": 2}',), ('{"a": 2}',)),
    ("composed and decomposed", (json.dumps(unicodedata.normalize("NFC", "é")),), (json.dumps(unicodedata.normalize("NFD", "é")),)),
    ("white space in strings", ('{"a": "b c"}',), ('{"a": "b  c"}',)),
    ("array order", ("[1, 2]",), ("[2, 1]",)),
    ("case", ('{"a": "B"}',), ('{"a": "b"}',)),
    ("a model", ('{"model": "gpt-5"}',), ('{"model": "gpt-5-mini"}',)),
    ("a hash is no uuid", ('{"a": "d41d8cd98f00b204e9800998ecf8427e"}',), ('{"a": "900150983cd24fb0d6963f7d28e17f72"}',)),
    ("half a uuid", ('{"a": "550e8400-e29b-41d4-a716"}',), ('{"a": "6ba7b810-9dad-11d1-80b4"}',)),
    ("a small number is no epoch", ('{"max_tokens": 1000}',), ('{"max_tokens": 1001}',)),
    ("a file name", form("a", name="a.png"), form("b", name="b.png")),
    ("a pixel", form("a", data=b"\x89PNG\r\n\x1a\n\0"), form("b", data=b"\x89PNG\r\n\x1a\n\1")),
    ("a part's type", form("a", kind="image/png"), form("b", kind="image/jpeg")),
    ("an empty upload", form("a", data=b""), form("b")),
    ("a large binary", (bytes(5000), {}), (bytes(4999) + b"\1", {})),
    ("its length", (bytes(5000), {}), (bytes(5001), {})),
    ("nothing and an empty object", (None,), (b"{}",)),
    ("JSON and its text in a string", ('{"a": 1}',), ('"{\\"a\\": 1}"',)),
    ("types that say another thing", ("[1]", {"content-type": "application/json"}), ("[1]", {"content-type": "text/plain"})),
    ("text that masking would write", ('{"a": "550e8400-e29b-41d4-a716-446655440000"}',), ('{"a": "\\u001auuid\\u001a"}',)),
    ("JSON that is none", ("{a: 1}",), ("{a:  1}",)),
    ("JSON too deep to read", ("[" * 100_000 + "]" * 100_000,), ("[" * 100_000 + " " + "]" * 100_000,)),
    ("broken UTF-8", (b'{"a": "\xff"}',), (b'{"a":  "\xff"}',)),
]


@MAKERS
@pytest.mark.parametrize(("what", "one", "two"), SAME, ids=lambda value: value if isinstance(value, str) else "")
def test_the_same_request(make: Any, what: str, one: Any, two: Any) -> None:
    one, two = (fresh(one), fresh(two))
    a, b = make(*one), make(*two)
    for left, right in ((a, b), (b, a), (a, a), (a, b)):
        assert agree(matchers.body, left, right), what


@MAKERS
@pytest.mark.parametrize(("what", "one", "two"), OTHER, ids=lambda value: value if isinstance(value, str) else "")
def test_another_request(make: Any, what: str, one: Any, two: Any) -> None:
    a, b = make(*one), make(*two)
    assert not agree(matchers.body, a, b), what
    assert not agree(matchers.body, b, a), what
    assert agree(matchers.body, a, make(*one)), "not even the same as itself"


def fresh(arguments: Any) -> Any:
    """A test's own file or iterator: the parameters are shared by all of them."""
    body, *rest = arguments
    if isinstance(body, io.BytesIO):
        return (io.BytesIO(body.getvalue()), *rest)
    return (copy.copy(body), *rest)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def dull(value: Any) -> str:
    """The slow way to say what a body says."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True)


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(one, order)) for key, one in value.items()]
        order.shuffle(items)
        return dict(items)
    return [shuffled(one, order) for one in value] if isinstance(value, list) else value


@given(JSON_VALUES, JSON_VALUES, st.randoms(use_true_random=False))
def test_json_matches_where_the_dull_twin_says_so(one: Any, two: Any, order: random.Random) -> None:
    a = plain(json.dumps(one))
    other_text = json.dumps(shuffled(one, order), indent=order.choice([None, 1]), ensure_ascii=order.choice([True, False]))
    again = plain(other_text.encode("utf-8", "surrogatepass"))
    assert agree(matchers.body, a, again)
    exactly = Matchers().fingerprint(a) == Matchers().fingerprint(plain(json.dumps(two)))
    assert exactly == (dull(one) == dull(two))


@MAKERS
def test_a_body_nobody_can_read_equals_nothing_but_itself(make: Any) -> None:
    one, two = make(object()), make(object())
    assert agree(matchers.body, one, one)
    for a, b in ((one, two), (one, make(b"")), (make(b""), one), (one, make(None)), (one, copy.copy(one))):
        assert not agree(matchers.body, a, b)
        with pytest.raises(AssertionError, match="unsupported-body"):
            matchers.body(a, b)


@MAKERS
def test_a_changed_body_is_read_anew(make: Any) -> None:
    one, two = make(b'{"a":1}'), make(b'{"a":1}')
    assert agree(matchers.body, one, two)
    two.body = b'{"a":2}'
    assert not agree(matchers.body, one, two)
    two.body = b'{"a":1}'
    assert agree(matchers.body, one, two)


def test_settings_of_matchers() -> None:
    one, two = plain('{"trace": "x-1", "a": "run-12"}'), plain('{"trace": "y-2", "a": "run-13"}')
    assert not agree(Matchers().body, one, two)
    assert agree(Matchers(Settings(ignore=("trace",), mask=("run-[0-9]+",))).body, one, two)
    assert not agree(Matchers(Settings(ignore=("trace",))).body, one, two)


# --- whose key


def asked(key: str | None, header: str = "authorization", url: str = URL) -> Any:
    return plain(b"{}", {} if key is None else {header: key}, url)


def stored(role: str | None) -> Any:
    return plain(b"{}", {} if role is None else {KEY_HEADER: role})


@pytest.mark.parametrize("name", PROVIDER_KEYS)
def test_a_key_of_the_environment_is_the_sessions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "the-sessions-own-key")
    for incoming in (
        asked("Bearer the-sessions-own-key"),
        asked("the-sessions-own-key", "x-api-key"),
        asked(None),
        asked(f"Bearer {PLACEHOLDER_KEY}"),
    ):
        assert agree(matchers.key, incoming, stored("session"))
        assert agree(matchers.key, incoming, stored(None)), "an episode that does not tell matches any"
    other = asked("Bearer another-key")
    assert not agree(matchers.key, other, stored("session"))
    assert agree(matchers.key, other, stored(Matchers().role(other)))
    assert not agree(matchers.key, asked("Bearer a-third-key"), stored(Matchers().role(other)))
    assert not agree(matchers.key, asked(None), stored(Matchers().role(other)))


def test_a_wrong_key_never_gets_a_good_keys_answer() -> None:
    with pytest.raises(AssertionError) as caught:
        matchers.key(asked("Bearer sk-wrong-wrong-wrong"), stored("session"))
    assert "credential" in str(caught.value)
    assert "sk-wrong" not in str(caught.value)


def test_settings_of_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    strict, ignore = Matchers(Settings(credential="strict")), Matchers(Settings(credential="ignore"))
    assert strict.role(asked("Bearer mine")) == llm_vcr.key_fingerprint({"authorization": "Bearer mine"})
    assert agree(ignore.key, asked("Bearer other"), stored("session"))
    placeholder = Matchers(Settings(placeholder_keys=("test-key",)))
    assert agree(placeholder.key, asked("Bearer test-key"), stored("session"))


def test_key_fingerprints() -> None:
    prints = [
        llm_vcr.key_fingerprint({"Authorization": "Bearer one"}),
        llm_vcr.key_fingerprint({"x-api-key": ["two"]}),
        llm_vcr.key_fingerprint({b"x-goog-api-key": b"three"}),  # type: ignore[dict-item]
    ]
    assert len({*prints}) == 3
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in prints)
    assert llm_vcr.key_fingerprint({"authorization": "bearer one"}) == prints[0] == llm_vcr.key_fingerprint({"x-api-key": "one"})
    assert llm_vcr.key_fingerprint({}) == llm_vcr.key_fingerprint({"content-type": "a"}) == "no-key"
    sigv4 = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{}/eu-west-1/bedrock/aws4_request, SignedHeaders=host, Signature={}"
    signed = [llm_vcr.key_fingerprint({"authorization": sigv4.format(day, day * 8)}) for day in ("20261121", "20261122")]
    assert signed[0] == signed[1] != "no-key"
    assert llm_vcr.key_fingerprint({"authorization": "Bearer ya29.a"}) == llm_vcr.key_fingerprint({"authorization": "Bearer ya29.b"})


def test_a_key_in_the_query_counts() -> None:
    one, two = asked(None, url=URL + "?key=one"), asked(None, url=URL + "?key=two")
    assert Matchers().role(one) != Matchers().role(two)
    assert not agree(matchers.key, two, stored(Matchers().role(one)))


# --- the structured matcher


CHAT = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 0,
    "tools": [],
    "stream": False,
    "user": "me",
    "metadata": {"a": 1},
}


@MAKERS
@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"user": "you"}, True),
        ({"metadata": {"run": str(uuid.uuid4())}}, True),
        ({"unknown": 1}, True),
        ({"model": "n"}, False),
        ({"messages": [{"role": "user", "content": "ho"}]}, False),
        ({"temperature": 0.5}, False),
        ({"temperature": 0.0}, False),
        ({"tools": [{"type": "function"}]}, False),
        ({"stream": True}, False),
        ({"system": "be brief"}, False),
        ({"max_tokens": 5}, False),
        ({"response_format": {"type": "json_object"}}, False),
    ],
)
def test_the_structured_matcher(make: Any, change: dict[str, Any], same: bool) -> None:
    assert agree(matchers.request, make(json.dumps(CHAT | change)), make(json.dumps(CHAT))) is same


def test_its_fields_can_be_chosen() -> None:
    only = Matchers().structured(["model", "messages"])
    assert agree(only, plain(json.dumps(CHAT | {"temperature": 1})), plain(json.dumps(CHAT)))
    assert not agree(only, plain(json.dumps(CHAT | {"model": "n"})), plain(json.dumps(CHAT)))
    with pytest.raises(ConfigError, match="modle.*expected fields among " + ", ".join(FIELDS)):
        Matchers().structured(["modle"])


@MAKERS
def test_the_structured_matcher_takes_any_other_body_as_a_whole(make: Any) -> None:
    pairs = [(b"[1]", b"[2]"), (b"text", b"other"), (b"{broken", b"{broken "), (None, b"{}"), (b"{}", b"[]"), (b"{}", b'{"model": "m"}')]
    for one, two in pairs:
        assert agree(matchers.request, make(one), make(one))
        assert not agree(matchers.request, make(one), make(two))
    assert agree(matchers.request, make(*form("a")), make(*form("b")))
    assert not agree(matchers.request, make(*form("a")), make(*form("b", name="b.png")))


# --- as matchers of anybody's vcr.VCR


def test_a_copy_of_matchers_is_themselves() -> None:
    ours = Matchers()
    assert copy.deepcopy(ours) is ours


@MAKERS
def test_nothing_of_a_request_is_used_up_or_changed(make: Any) -> None:
    body, headers = form("abc")
    one, two = make(body, dict(headers)), make(*form("def"))
    before = (one.method, one.uri, one.body, dict(one.headers))
    for matcher in (matchers.body, matchers.key, matchers.request):
        matcher(one, two)
    assert (one.method, one.uri, one.body, dict(one.headers)) == before


def test_a_request_with_fixed_slots_is_compared_too() -> None:
    class Slots:
        __slots__ = ("body", "headers", "method", "uri")

        def __init__(self, body: Any) -> None:
            self.method, self.uri, self.headers, self.body = "POST", URL, JSON, body

    assert agree(matchers.body, Slots('{"a":1}'), Slots('{"a": 1}'))
    assert not agree(matchers.body, Slots('{"a":1}'), Slots('{"a": 2}'))
