"""A cassette as text: the YAML that vcrpy and pytest-recording read, laid out for people, or JSON (`json_layout`).

Two top-level keys are ours, and stock readers pass over them: ``recorded_by`` stands before the interactions and ``recorded_at`` after
them, so a file that was cut off is noticed. (vcrpy's own ``metadata`` cannot carry them: pytest-recording's reader fails on it.)
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Protocol

from llm_vcr import _core
from llm_vcr.errors import CassetteFileError, UnsupportedBodyError
from llm_vcr.request import read_body
from llm_vcr.stores.base import CassetteRecord, Episode, made

FORMAT_VERSION = 1
"""The version of vcrpy's cassette format that this module reads and writes."""

WRITER = "llm-vcr"


class Serializer(Protocol):
    """vcrpy's serializer: a module or object that turns a dict into text and back."""

    def serialize(self, cassette_dict: dict[str, Any]) -> str:
        """The text of a cassette."""

    def deserialize(self, cassette_string: str) -> Any:
        """What stands in the text of a cassette."""


def encode(record: CassetteRecord, serializer: Serializer | None = None) -> str:
    """The text of ``record``, with vcrpy's ``serializer`` if it is not the YAML one."""
    data = _tree(record)
    data["interactions"] = [{"request": _request_out(one.request), "response": _response_out(one.response)} for one in record.episodes]
    if serializer is not None and not is_yaml(serializer):
        return serializer.serialize(data)
    from llm_vcr import pyyaml

    return pyyaml.dump(data)


def write(record: CassetteRecord, serializer: Serializer | None = None) -> bytes:
    """What stands in the file of ``record``: written by the core, or by `encode` where it holds what only PyYAML can write."""
    written = _core.write_yaml(_whole(record)) if is_yaml(serializer) else None
    return encode(record, serializer).encode("utf-8", "surrogatepass") if written is None else written


def write_file(record: CassetteRecord, path: str, serializer: Serializer | None = None, *, sync: bool) -> None:
    """Write that into a new file, without having all of it at once; with ``sync`` it is on the disk afterwards.

    Raises:
        OSError: where the file is there already, or cannot be written.
    """
    if is_yaml(serializer) and _core.write_yaml_file(_whole(record), path, sync=sync):
        return
    with open(path, "wb") as file:
        file.write(encode(record, serializer).encode("utf-8", "surrogatepass"))
        file.flush()
        if sync:
            os.fsync(file.fileno())


def is_yaml(serializer: Serializer | None) -> bool:
    """Whether it is vcrpy's own for YAML, which is the default; told by its name, as to import it is to import PyYAML."""
    return serializer is None or getattr(serializer, "__name__", None) == "vcr.serializers.yamlserializer"


def _whole(record: CassetteRecord) -> dict[str, Any]:
    """A cassette as the core writes it."""
    tree = _tree(record)
    tree["interactions"] = [
        {"request": _in_order(one.request, _REQUEST), "response": _in_order(one.response, _RESPONSE)} for one in record.episodes
    ]
    return tree


def _tree(record: CassetteRecord) -> dict[str, Any]:
    """The top level of a cassette file, in the order in which it is written."""
    tree: dict[str, Any] = {"version": FORMAT_VERSION, "recorded_by": WRITER, "interactions": []}
    if record.metadata:
        tree["metadata"] = dict(record.metadata)
    if record.ttl != math.inf:
        tree["ttl_seconds"] = record.ttl
    # Always there, always last: a file without it was cut off.
    tree["recorded_at"] = None if record.recorded_at is None else record.recorded_at.astimezone(UTC).isoformat(timespec="seconds")
    return tree


def _in_order(part: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    if type(part) is dict and all(map(str.__eq__, part, first)) and len(part) >= len(first):
        return part
    return {key: part[key] for key in [*(key for key in first if key in part), *(key for key in part if key not in first)]}


def _request_out(request: Mapping[str, Any]) -> dict[str, Any]:
    headers = {name: [_text(one) for one in values] for name, values in request["headers"].items()}
    return {"method": request["method"], "uri": request["uri"], "headers": headers, "body": _text(request["body"])}


def _response_out(response: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(response)
    body = out.get("body")
    if isinstance(body, Mapping) and "string" in body:
        out["body"] = {**body, "string": _text(body["string"])}
    first = [key for key in ("status", "headers", "body") if key in out]
    return {key: _plain(out[key]) for key in [*first, *(key for key in out if key not in first)]}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _text(body: Any) -> Any:
    if isinstance(body, bytes):
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return body
    return str(body) if isinstance(body, str) else body


def is_json(data: bytes) -> bool:
    """Whether a file beginning so is in our JSON."""
    if b'"layout"' not in data[:200]:  # of most, that is enough to know
        return False
    from llm_vcr import json_layout

    return json_layout.is_one(data)


def layout_of(data: bytes, path: str) -> Serializer | None:
    """The serializer that a file's first bytes ask for: JSON of ours or, in a file called so, of vcrpy's; ``None`` for YAML."""
    if is_json(data):
        from llm_vcr import json_layout

        return json_layout
    if path.endswith(".json") and data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        from vcr.serializers import jsonserializer

        return jsonserializer  # type: ignore[no-any-return]  # vcrpy is not typed
    return None


def read(data: bytes, path: str, serializer: Serializer | None = None) -> CassetteRecord:
    """The cassette in a file's ``data``, in either layout: YAML as dumpers write it by the core, anything else as `decode` does it.

    Raises:
        CassetteFileError: as `decode`, and where the file is not UTF-8.
    """
    if is_yaml(serializer) or is_json(data):
        serializer = layout_of(data, path)
    if serializer is None:
        record = _read_plain(data)
        if record is not None:
            return record
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CassetteFileError(path, line, "the file is not UTF-8") from error
    return decode(text, path, serializer)


def read_file(path: str) -> CassetteRecord | None:
    """The cassette in the file at ``path``, or ``None`` where it cannot be read or is unusual: `read` then knows more, or says why."""
    return _usual(_core.read_yaml_file, path)


def _read_plain(data: bytes) -> CassetteRecord | None:
    """As `read_file`, of what stands in a file."""
    return _usual(_core.read_yaml, data)


def _usual(load: Callable[[Any, Callable[[str], Any]], Any], source: str | bytes) -> CassetteRecord | None:
    """The cassette that the core reads, or ``None`` where anything is unusual: `decode` knows what to make of it, or what to say."""
    try:
        tree = load(source, _resolve)
    except ValueError:  # a date that cannot be
        return None
    except Exception as error:
        from llm_vcr import pyyaml

        if pyyaml.is_error(error):
            return None
        raise
    if not isinstance(tree, dict) or not isinstance(tree.get("interactions"), list):
        return None
    version = tree.get("version", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION or (tree.get("recorded_by") == WRITER and "recorded_at" not in tree):
        return None
    if not isinstance(tree.get("metadata") or {}, dict):
        return None
    episodes = []
    for one in tree["interactions"]:
        episode = _plain_episode(one)
        if episode is None:
            return None
        episodes.append(episode)
    return _record(episodes, tree)


def _plain_episode(one: Any) -> Episode | None:
    """An interaction as an episode, if it is made of exactly what vcrpy writes today; `_problem` knows what is wrong with any other."""
    try:
        request, response = one["request"], one["response"]
        method, uri, headers, body = request["method"], request["uri"], request["headers"], request["body"]
        status, answer = response["status"], response["body"]
        said = None if answer is None else answer.get("string")
        usual = (
            (type(request), type(method), type(uri), type(headers)) == (dict, str, str, dict)
            and (type(response), type(status), type(response["headers"])) == (dict, dict, dict)
            and (type(body) is bytes or body is None)
            and (answer is None or type(answer) is dict)
            and (said is None or type(said) is bytes or type(said) is str)
            and isinstance(status["code"], int)
            and len(request) == len(_REQUEST)
            and "status_code" not in response
            and uri.isascii()
            and "[" not in uri  # what `urlsplit` may refuse
        )
    except (TypeError, LookupError, AttributeError):
        return None
    if not usual:
        return None
    store = _core.header_store(headers)
    if store is None and (headers := _first_values(headers)) is None:
        return None
    return made(Episode, request={"method": method, "uri": uri, "headers": headers, "body": body}, response=response, header_store=store)


def _first_values(headers: Mapping[Any, Any]) -> dict[str, list[Any]] | None:
    """Headers with the first value of each, as vcrpy's `HeadersDict` has them; ``None`` for what it would read in another way."""
    plain = {}
    for name, values in headers.items():
        if type(name) is not str or type(values) is not list or not values:
            return None
        plain[name] = values[:1]
    return plain if len({name.lower() for name in plain}) == len(plain) else None


@functools.lru_cache(maxsize=1024)
def _resolve(scalar: str) -> Any:
    """What PyYAML makes of a plain scalar: numbers in all their forms, dates, and everything else that is text after all."""
    from vcr.serializers import yamlserializer

    # As an item of a list: `--- a` at the start of a line would be a document.
    return yamlserializer.deserialize(f"- {scalar}")[0]


def decode(text: str, path: str, serializer: Serializer | None = None) -> CassetteRecord:
    """The cassette in ``text``, read as vcrpy reads it. ``path`` is what an error names.

    Raises:
        CassetteFileError: where the text is empty, cut off, no cassette, or of a later version; with the line where that shows.
    """
    from vcr.serialize import deserialize
    from vcr.serializers import yamlserializer

    data = _parse(text, path, serializer or yamlserializer)
    if not isinstance(data, Mapping) or not isinstance(data.get("interactions"), list):
        raise CassetteFileError(path, 1, "this is no cassette: expected `version` and a list of `interactions`")
    version = data.get("version", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise CassetteFileError(
            path, _line_of(text, "version"), f"version {version!r} of the cassette format: this llm_vcr reads {FORMAT_VERSION}"
        )
    if data.get("recorded_by") == WRITER and "recorded_at" not in data:
        raise CassetteFileError(path, _last_line(text), "the file ends too early: its last key, `recorded_at`, is missing")
    metadata = data.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise CassetteFileError(path, _line_of(text, "metadata"), "metadata: expected a mapping")
    episodes = []
    for number, one in enumerate(data["interactions"]):
        if problem := _problem(one):
            raise CassetteFileError(path, _line_of(text, number), f"interaction {number + 1} {problem}")
        try:
            (request,), (response,) = deserialize("", SimpleNamespace(deserialize=lambda _, one=one: {"interactions": [one]}))
            episodes.append(_episode(request, response))
        except (UnsupportedBodyError, AttributeError, TypeError, ValueError, LookupError) as error:
            raise CassetteFileError(path, _line_of(text, number), f"interaction {number + 1} cannot be read: {error}") from error
    return _record(episodes, data)


def _record(episodes: list[Episode], data: Mapping[str, Any]) -> CassetteRecord:
    return made(
        CassetteRecord,
        episodes=tuple(episodes),
        recorded_at=_moment(data.get("recorded_at")),
        ttl=_seconds(data.get("ttl_seconds")),
        metadata=data.get("metadata") or {},
        unreadable={},
        scattered={},
    )


def _episode(request: Any, response: Any) -> Episode:
    body = read_body(request.body).data if request.body is not None else None
    headers = {name: [value] for name, value in request.headers.items()}
    return Episode({"method": request.method, "uri": request.uri, "headers": headers, "body": body}, response)


# libyaml's composer recurses on the C stack, without a limit: a deep nesting would end the process.
_MAX_DEPTH = 500
_LOOKS_DEEP = ("[" * 64, "{" * 64, "- " * 64, " " * 500)


def _parse(text: str, path: str, serializer: Serializer) -> Any:
    if not text.strip():
        raise CassetteFileError(path, 1, "the file is empty")
    from vcr.serializers import jsonserializer

    from llm_vcr import json_layout, pyyaml

    try:
        # A JSON reader tells by itself where it goes too deep.
        may_be_deep = serializer not in (json_layout, jsonserializer) and any(sign in text for sign in _LOOKS_DEEP)
        if may_be_deep and pyyaml.is_deeper(text, _MAX_DEPTH):
            raise CassetteFileError(path, None, f"this cannot be read: nested more than {_MAX_DEPTH} levels deep")
        return serializer.deserialize(text)
    except CassetteFileError:
        raise
    except Exception as error:
        if (known := pyyaml.problem_of(error)) is not None:
            raise CassetteFileError(path, *known) from error
        if not pyyaml.is_error(error) and not isinstance(error, ValueError | TypeError | LookupError | RecursionError):
            raise
        # JSON tells the line; YAML's reader tells at which character it met one that may not be there.
        line = getattr(error, "lineno", None)
        if line is None and isinstance(position := getattr(error, "position", None), int):
            line = text.count("\n", 0, position) + 1
        raise CassetteFileError(path, line, f"this cannot be read: {error}") from error


# What vcrpy would stumble over, at load or, worse, when the answer is played.
_REQUEST = {"method": str, "uri": str, "headers": Mapping, "body": object}
# tornado's headers are a list of pairs.
_RESPONSE = {"status": Mapping, "headers": Mapping | list, "body": Mapping | None}
# httpx cassettes from before vcrpy 6; vcrpy still replays them.
_OLD_RESPONSE = {"status_code": int, "headers": Mapping, "content": str | bytes}


def _problem(interaction: object) -> str | None:
    """What an interaction lacks, or has in a shape that cannot be."""
    if not isinstance(interaction, Mapping):
        return "lacks request, response"
    request, response = (interaction.get(part) for part in ("request", "response"))
    missing = [part for part, value in (("request", request), ("response", response)) if not isinstance(value, Mapping)]
    if not isinstance(request, Mapping) or not isinstance(response, Mapping):
        return f"lacks {', '.join(missing)}"
    shapes = (("request", request, _REQUEST), ("response", response, _OLD_RESPONSE if "status_code" in response else _RESPONSE))
    missing = [f"{part}.{key}" for part, value, shape in shapes for key in shape if key not in value]
    if missing:
        instead = [f"{part}.{key}" for part, value, shape in shapes for key in value if key not in shape]
        # Such as pydantic-ai's, which keeps bodies as YAML.
        hint = f", and has {', '.join(instead)}: was it written by a serializer that is to be registered?" if instead else ""
        return f"lacks {', '.join(missing)}{hint}"
    wrong = [f"{part}.{key}" for part, value, shape in shapes for key, kind in shape.items() if not isinstance(value[key], kind)]
    if not wrong and "status_code" not in response:
        if not isinstance(response["status"].get("code"), int):
            wrong.append("response.status.code")
        if isinstance(response["headers"], list) and not all(
            isinstance(one, list | tuple) and len(one) == 2 for one in response["headers"]
        ):
            wrong.append("response.headers")
        if not isinstance((response["body"] or {}).get("string", b""), str | bytes | None):
            wrong.append("response.body.string")
    return f"has something else than expected in {', '.join(wrong)}" if wrong else None


def _line_of(text: str, what: str | int) -> int | None:
    from llm_vcr import pyyaml

    return pyyaml.line_of(text, what)


def _last_line(text: str) -> int:
    return text.rstrip("\n").count("\n") + 1


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _seconds(value: object) -> float:
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.inf
    except OverflowError:
        return math.inf
