"""The plain way to mask volatile tokens: a chain of ``re.sub``, with the same output as ``llm_vcr``'s core, byte for byte."""

import re

# A letter or digit beside it makes anything part of a longer word; the letter of a JSON escape (``\n``) does not.
_BEGIN = rb"(?:(?<![0-9A-Za-z])|(?<=\\[bfnrt]))"
_END = rb"(?![0-9A-Za-z])"

_HYPHENATED_UUID = re.compile(_BEGIN + rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}" + _END)
_PLAIN_UUID = re.compile(_BEGIN + rb"[0-9A-Fa-f]{12}[1467][0-9A-Fa-f]{3}[89ABab][0-9A-Fa-f]{15}" + _END)

_YEAR, _MONTH, _DAY = rb"(?:19|20|21)[0-9]{2}", rb"(?:0[1-9]|1[0-2])", rb"(?:0[1-9]|[12][0-9]|3[01])"
_HOUR, _MINUTE, _SECOND = rb"(?:[01][0-9]|2[0-3])", rb"[0-5][0-9]", rb"(?:[0-5][0-9]|60)"
_FRACTION = rb"(?:\.[0-9]{1,9}|,(?:[0-9]{9}|[0-9]{6}|[0-9]{3}))?"
_ZONE = rb"(?:[Zz]|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?"
_TIME_END = _ZONE + _END + rb"(?![.:][0-9])"
_EXTENDED = _YEAR + b"-" + _MONTH + b"-" + _DAY + b"[Tt ]" + _HOUR + b":" + _MINUTE + b"(?::" + _SECOND + _FRACTION + b")?"
_BASIC = _YEAR + _MONTH + _DAY + b"[Tt]" + _HOUR + _MINUTE + _SECOND + _FRACTION
_TIME = re.compile(_BEGIN + b"(?:" + _EXTENDED + b"|" + _BASIC + b")" + _TIME_END)

# Not after a decimal point, a plus, or a minus that is a sign (one that joins follows a word or a placeholder).
_EPOCH_BEGIN = _BEGIN + rb"(?<![0-9]\.)(?<!\+)(?:(?<!-)|(?<=[0-9A-Za-z_\x1A]-))"
_EPOCH_END = _END + rb"(?!\.[0-9])"
_SECONDS = rb"(?:1[1-9]|2[0-4])[0-9]{8}"
_FLOAT_EPOCH = re.compile(_EPOCH_BEGIN + _SECONDS + rb"\.[0-9]{1,9}" + _EPOCH_END)
_INTEGER_EPOCH = re.compile(_EPOCH_BEGIN + _SECONDS + rb"(?:[0-9]{3}){0,3}" + _EPOCH_END)


def mask(text: bytes) -> bytes:
    """Replace the UUIDs, date-times and unix epochs of ``text`` by placeholders."""
    text = _HYPHENATED_UUID.sub(b"\x1auuid\x1a", text)
    text = _PLAIN_UUID.sub(b"\x1auuid\x1a", text)
    text = _TIME.sub(b"\x1atime\x1a", text)
    text = _FLOAT_EPOCH.sub(b"\x1aepoch\x1a", text)
    return _INTEGER_EPOCH.sub(b"\x1aepoch\x1a", text)
