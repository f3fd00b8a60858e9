"""An exchange at a glance: the model, what it was asked and what it answered, in a few short texts for people.

It knows the shapes of the providers' chat, responses, messages, generateContent and converse APIs and of their streams; of any other
exchange it tells what it can, which may be nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MAX_TEXT = 200
"""Characters of one text; a longer one ends in an ellipsis."""

_MESSAGES = ("messages", "contents", "input", "prompt", "content", "query", "message")
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction", "preamble")
_PARTS = ("text", "content", "parts", "output_text", "refusal", "message")


def model(asked: Any) -> str | None:
    """The model that a request's JSON body names."""
    named = (asked.get(name) for name in ("model", "modelId")) if isinstance(asked, Mapping) else ()
    return next((one for one in named if isinstance(one, str)), None)


def messages(asked: Any) -> list[str]:
    """What a request's JSON body asks, a line for each message, with who says it in front."""
    if not isinstance(asked, Mapping):
        return []
    lines = [f"system: {said}" for name in _SYSTEM if (said := _said(asked.get(name)))]
    told = next((asked[name] for name in _MESSAGES if asked.get(name)), None)
    for one in told if isinstance(told, list) else [told]:
        role = one.get("role", "user") if isinstance(one, Mapping) else "user"
        if said := _said(one):
            lines.append(f"{role}: {said}")
    return [_clipped(line) for line in lines]


def answer(documents: Iterable[Any]) -> str | None:
    """What was answered: by one JSON document or, streamed, by the events' one after the other."""
    said = "".join(_answer(one) for one in documents)
    return _clipped(said) if said else None


def _answer(told: Any) -> str:
    if isinstance(told, list):
        return "".join(_answer(one) for one in told)
    if not isinstance(told, Mapping):
        return ""
    if isinstance(told.get("error"), Mapping):
        return f"[error] {told['error'].get('message', '')}"
    for name, part in (("choices", "message"), ("choices", "delta"), ("candidates", "content")):
        chosen = told.get(name)
        if isinstance(chosen, list) and any(isinstance(one, Mapping) and part in one for one in chosen):
            return "".join(_said(one.get(part)) for one in chosen if isinstance(one, Mapping))
    kind = told.get("type")
    if isinstance(kind, str) and kind.startswith(("response.", "message_", "content_block")) and "delta" not in told:
        # The events around the deltas say again what the deltas say.
        return ""
    if isinstance(told.get("data"), list):
        first = next(iter(told["data"]), None)
        what = "embedding" if isinstance(first, Mapping) and "embedding" in first else "item"
        return f"[{len(told['data'])} {what}{'' if len(told['data']) == 1 else 's'}]"
    return next((said for name in ("output", "delta", "content", "message", "text", "embeddings") if (said := _said(told.get(name)))), "")


def _said(told: Any) -> str:
    """The text in a message or a part of one; of what is no text, its type in brackets."""
    if isinstance(told, str):
        return told
    if isinstance(told, list):
        if told and all(isinstance(one, int | float) for one in told):
            return f"[{len(told)} numbers]"
        return "".join(_said(one) for one in told)
    if not isinstance(told, Mapping):
        return ""
    calls = told.get("tool_calls") or [one for one in (told.get("functionCall"), told.get("function_call"), told.get("toolUse")) if one]
    said = next((found for name in _PARTS if (found := _said(told.get(name)))), "")
    if calls or told.get("type") in ("function_call", "tool_use"):
        return said + "".join(_call(one) for one in calls or [told])
    kind = told.get("type") or next((name for name in told if name in ("inlineData", "inline_data", "image", "fileData")), None)
    return said or (f"[{kind}]" if isinstance(kind, str) and kind not in ("text", "output_text", "text_delta", "message") else "")


def _call(told: Any) -> str:
    if not isinstance(told, Mapping):
        return ""
    named = told.get("function")
    function: Mapping[str, Any] = named if isinstance(named, Mapping) else told
    arguments = next((function[name] for name in ("arguments", "input", "args") if function.get(name)), "")
    return f"{function.get('name') or ''}({arguments})"


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
