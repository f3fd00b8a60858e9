"""The filters: the same after the first time as after the third, nothing to what is stored, and never a secret in it."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import random
import zlib
from pathlib import Path
from typing import Any

import llm_vcr
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_vcr import _core
from llm_vcr.config import MEDIA_MIN, Settings
from llm_vcr.filters import Filters, StoredResponse, status_code
from llm_vcr.matchers import KEY_HEADER, Matchers
from llm_vcr.vcr_request import Request
from vcr.request import Request as VcrRequest

from tests.fake_provider import noise_png, png_size, tone_wav

URL = "https://api.openai.com/v1/chat/completions"
KEY = "sk-proj-v0XKHD5xIFxUYA5oiXdYlu2FG" + "_2CgDgkWSn3NZ71"
GOOGLE = "AIza" + "SyD3x4mpl3-K3y_0123456789abcdefghij"
PHOTO = noise_png(200, 150, random.Random(1))
SPEECH = tone_wav(3)
assert len(PHOTO) > MEDIA_MIN
assert len(SPEECH) > MEDIA_MIN


def upload(data: bytes, boundary: str = "8087456ce76304f982d564cf9fe967c6") -> tuple[bytes, dict[str, str]]:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(len(body))}


def asked(body: Any = b"{}", headers: Any = None, url: str = URL, method: str = "POST") -> VcrRequest:
    return VcrRequest(method, url, body, {"Content-Type": "application/json"} if headers is None else headers)


def answer(body: Any = b"{}", status: int = 200, **headers: list[str]) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status": {"code": status, "message": "OK"}, "headers": named, "body": {"string": body}}


def parts(request: Any) -> Any:
    return request.method, request.uri, request.body, dict(request.headers)


REQUESTS = [
    asked(),
    asked(json.dumps({"a": 1, "key": KEY, "b": f"Bearer {KEY}"}).encode()),
    asked(upload(PHOTO)[0], upload(PHOTO)[1]),
    asked(upload(b"\x89PNG")[0], {**upload(b"\x89PNG")[1], "Authorization": f"Bearer {KEY}"}),
    asked(json.dumps({"image": "data:image/png;base64," + base64.b64encode(PHOTO).decode()})),
    asked(SPEECH, {"content-type": "audio/wav"}),
    asked(b"", {"X-Goog-Api-Key": GOOGLE}, f"https://generativelanguage.googleapis.com/v1/m?key={GOOGLE}&alt=sse", "post"),
    asked(None, {}, method="GET"),
    asked(b"--broken", {"content-type": "multipart/form-data; boundary=x"}),
    asked(f"api_key={KEY}&q=1", {"content-type": "application/x-www-form-urlencoded"}),
    asked(object(), {}),
]


@pytest.mark.parametrize("media", ["shrink", "keep"])
@pytest.mark.parametrize("request_", REQUESTS, ids=range(len(REQUESTS)))
def test_what_vcrpy_does_three_times_is_done_once(request_: VcrRequest, media: Any) -> None:
    filters = Filters(Settings(media=media))
    before = copy.copy(request_.body), dict(request_.headers), request_.uri
    once = filters.before_record_request(copy.deepcopy(request_))
    twice = filters.before_record_request(copy.deepcopy(once))
    thrice = filters.before_record_request(Request(*parts(twice)))
    assert parts(once) == parts(twice) == parts(thrice)
    assert (request_.body, dict(request_.headers), request_.uri) == (*before[:2], before[2]) or request_.body is not None


@given(st.binary(max_size=300), st.sampled_from([None, "application/json", "multipart/form-data; boundary=x", "text/plain"]))
def test_any_body_is_filtered_once_and_still_matches(body: bytes, content_type: str | None) -> None:
    filters = Filters()
    request = asked(body, {} if content_type is None else {"content-type": content_type})
    once = filters.before_record_request(request)
    assert parts(filters.before_record_request(copy.deepcopy(once))) == parts(once)
    filters.matchers.body(once, once)
    if _core.redact(body) == body:
        filters.matchers.body(request, once)


# --- no secret in what is stored


@pytest.mark.parametrize(
    "request_",
    [
        asked(b"{}", {"Authorization": f"Bearer {KEY}"}),
        asked(b"{}", {"authorization": f"Basic {base64.b64encode(KEY.encode()).decode()}", "Cookie": f"session={KEY}"}),
        asked(b"{}", {"x-api-key": KEY, "api-key": KEY, "X-Goog-Api-Key": KEY, "Proxy-Authorization": KEY, "X-Auth-Token": KEY}),
        asked(b"{}", {"X-My-Own": f"Bearer {KEY}", "User-Agent": f"tool/1 ({KEY})", "Referer": f"https://h/?api_key={KEY}"}),
        asked(b"{}", {}, f"{URL}?key={KEY}&api_key={KEY}&x={KEY}"),
        asked(b"{}", {}, f"https://user:{KEY}@api.openai.com/v1"),
        asked(json.dumps({"messages": [{"content": f"my key is {KEY}"}], "api_key": KEY, "nested": json.dumps({"token": KEY})})),
        asked(f"client_secret={KEY}&a=1", {"content-type": "application/x-www-form-urlencoded"}),
        asked(upload(f"key={KEY}".encode())[0], upload(b"")[1]),
    ],
)
def test_no_secret_in_a_stored_request(request_: VcrRequest) -> None:
    kept = Filters().before_record_request(request_)
    told = repr(parts(kept)).encode() + bytes(kept.body)
    for spelling in (KEY.encode(), base64.b64encode(KEY.encode())):
        assert spelling not in told


@pytest.mark.parametrize(
    "response",
    [
        answer(b"{}", set_cookie=[f"a={KEY}"], openai_organization=["org-x"], x_request_id=["req_1"]),
        answer(b"{}", location=[f"https://h/next?api_key={KEY}"], x_echo=[f"you sent {KEY}"], link=[f"<https://h?key={KEY}>; rel=next"]),
        answer(b"{}", 302, location=[f"/next?key={KEY[8:]}"]),
        answer(json.dumps({"error": f"Incorrect API key provided: {KEY}."}).encode()),
        answer(f'data: {{"delta": "{KEY}"}}\n\n'.encode()),
        answer(f"your key: {KEY}"),
        answer(gzip.compress(f"your key: {KEY}".encode()), content_encoding=["gzip"]),
    ],
)
def test_no_secret_in_a_stored_answer(response: dict[str, Any]) -> None:
    before = copy.deepcopy(response)
    kept, _ = Filters().keep_response(response)
    assert KEY[8:] not in repr(kept)
    assert response == before, "the client's own answer was changed"
    again, _ = Filters().keep_response(kept)
    assert again == kept


def test_what_is_incidental_is_left_out_and_what_clients_read_is_kept() -> None:
    headers = {
        "content_type": ["application/json"],
        "retry_after": ["1"],
        "cf_ray": ["x"],
        "X_RateLimit_Remaining": ["5"],
        "Vary": ["a", "b"],
    }
    kept, _ = Filters().keep_response(answer(b"{}", **headers))
    assert kept["headers"] == {"content-type": ["application/json"], "retry-after": ["1"], "Vary": ["a", "b"]}


def test_the_key_is_kept_as_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    mine = Filters().before_record_request(asked(headers={"Authorization": "Bearer mine"}))
    other = Filters().before_record_request(asked(headers={"Authorization": "Bearer other"}))
    none = Filters().before_record_request(asked(headers={}))
    assert mine.headers[KEY_HEADER] == none.headers[KEY_HEADER] == "session"
    assert other.headers[KEY_HEADER] == llm_vcr.key_fingerprint({"Authorization": "other"})
    ignored = Filters(Settings(credential="ignore")).before_record_request(asked(headers={"Authorization": "Bearer other"}))
    assert KEY_HEADER not in ignored.headers


# --- bodies


def test_a_boundary_is_fixed_in_body_header_and_length() -> None:
    body, headers = upload(b"\x89PNG")
    kept = Filters().before_record_request(asked(body, headers))
    assert kept.headers["content-type"] == "multipart/form-data; boundary=llm-vcr-boundary"
    assert kept.body == body.replace(b"8087456ce76304f982d564cf9fe967c6", b"llm-vcr-boundary")
    assert kept.headers["content-length"] == str(len(kept.body))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (json.dumps({"image": "data:image/png;base64," + base64.b64encode(PHOTO).decode()}).encode(), {"content-type": "application/json"}),
        upload(PHOTO),
        (SPEECH, {"content-type": "audio/wav"}),
    ],
    ids=["json", "multipart", "binary"],
)
def test_a_requests_media_are_stored_small_and_still_match(body: bytes, headers: dict[str, str]) -> None:
    filters = Filters()
    request = asked(body, {**headers, "Content-Length": str(len(body))})
    kept = filters.before_record_request(request)
    assert len(kept.body) < 8192
    assert kept.headers["content-length"] == str(len(kept.body))
    filters.matchers.body(request, kept)
    other = asked(body.replace(body[-200:-100], bytes(100)), request.headers)
    with pytest.raises(AssertionError):
        filters.matchers.body(other, kept)
    whole = Filters(Settings(media="keep")).before_record_request(request)
    assert len(whole.body) > MEDIA_MIN
    whole_matchers: Matchers = filters.matchers
    whole_matchers.body(whole, kept)


def test_an_answers_media_are_stored_small_and_it_says_so() -> None:
    body = json.dumps({"data": [{"b64_json": base64.b64encode(PHOTO).decode()}]}).encode()
    response = answer(body, content_type=["application/json"], content_length=[str(len(body))])
    kept, shrunk = Filters().keep_response(response)
    assert shrunk
    small = base64.b64decode(json.loads(kept["body"]["string"])["data"][0]["b64_json"])
    assert png_size(small) == (200, 150)
    assert kept["headers"]["content-length"] == [str(len(kept["body"]["string"]))]
    assert Filters(Settings(media="keep")).keep_response(response) == (response, False)
    assert Filters().keep_response(answer(b"{}"))[1] is False


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("gzip", bytes), ("identity", bytes), ("unknown", bytes)],
)
def test_an_encoded_answer_is_stored_decoded(encoding: str, encode: Any) -> None:
    plain = b'{"a": "plain"}' * 10
    kept, _ = Filters().keep_response(answer(encode(plain), content_encoding=[encoding], content_length=["5"]))
    assert kept["body"]["string"] == plain


@pytest.mark.parametrize(
    "response",
    [
        answer(b"", content_encoding=["gzip"]),
        {"status": {"code": 204, "message": "No Content"}, "headers": {"content-encoding": ["gzip"]}, "body": {}},
        {"status": {"code": 204, "message": "No Content"}, "headers": {}, "body": {}},
        {"status": {"code": 204, "message": None}, "headers": {}, "body": None},
        answer(None),
        answer("text"),
        {"status_code": 200, "headers": {}, "content": "old"},
    ],
)
def test_an_answer_of_any_shape_is_kept(response: dict[str, Any]) -> None:
    kept, shrunk = Filters().keep_response(response)
    assert not shrunk
    assert kept.keys() == response.keys()
    assert status_code(kept) == status_code(response)


# --- which answers


@pytest.mark.parametrize(
    ("status", "more", "kept"),
    [
        *[(code, (), True) for code in (200, 201, 204, 206, 299, 301, 302, 303, 307, 308)],
        *[(code, (), False) for code in (100, 199, 400, 401, 404, 408, 429, 500, 503, 529)],
        *[(code, (401, 529), True) for code in (200, 401, 529)],
        *[(code, (401, 529), False) for code in (400, 500)],
        ("200", (), True),
        ("500", (), False),
    ],
)
def test_only_answers_that_succeeded_are_kept(status: Any, more: tuple[int, ...], kept: bool) -> None:
    refusal = Filters(Settings(status=more)).refusal(answer(status=status))
    assert refusal == (None if kept else f"status {status}")


# --- what is stored


def test_what_came_out_of_a_cassette_stays_as_it_is() -> None:
    filters = Filters()
    body, headers = upload(PHOTO)
    old = asked(body, {**headers, "Authorization": f"Bearer {KEY}"}, f"{URL}?key={KEY}", "post")
    response = answer(f"old {KEY}".encode(), 500, set_cookie=["a=b"])
    request, stored = filters.after_load_interaction(copy.deepcopy(old), copy.deepcopy(response))
    assert parts(filters.before_record_request(request)) == parts(old)
    assert filters.before_record_response(stored) == response
    assert isinstance(stored, StoredResponse)
    assert filters.before_save_interaction(request, stored) == (request, response)


def test_what_nobody_can_read_back_is_not_saved() -> None:
    filters = Filters()
    assert filters.before_save_interaction(filters.before_record_request(asked(object())), answer()) is None
    assert filters.before_save_interaction(filters.before_record_request(asked()), answer(status=500)) is None
    assert filters.before_save_interaction(filters.before_record_request(asked()), answer()) is not None


def test_a_copy_of_filters_is_themselves() -> None:
    filters = Filters()
    assert copy.deepcopy(filters) is filters


def test_a_cassette_on_disk_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with llm_vcr.VCR().use_cassette(path) as cassette:
        request = asked(json.dumps({"prompt": KEY}), {"Authorization": f"Bearer {KEY}", "X-Custom": KEY}, f"{URL}?key={KEY}")
        cassette.append(request, answer(f"you sent {KEY}".encode(), x_echo=[KEY], location=[f"https://h/?key={KEY}"]))
    text = path.read_text(encoding="utf-8")
    assert "recorded_at" in text
    assert KEY not in text
