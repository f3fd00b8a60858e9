"""Real media of any size, made on the spot: PNG of noise, WAV of a tone, MP3 of silence."""

from __future__ import annotations

import array
import io
import math
import random
import struct
import sys
import wave
import zlib

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def noise_png(width: int, height: int, source: random.Random) -> bytes:
    """A valid RGB PNG that does not compress: about `3 * width * height` bytes (PNG 3rd edition, section 11)."""
    noise = source.randbytes(3 * width * height)
    row = 3 * width
    rows = b"".join(b"\0" + noise[start : start + row] for start in range(0, len(noise), row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _PNG_MAGIC + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", zlib.compress(rows, 0)) + _png_chunk(b"IEND", b"")


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height out of a PNG's header."""
    if not data.startswith(_PNG_MAGIC) or data[12:16] != b"IHDR":
        raise ValueError("not a PNG")
    width, height = struct.unpack_from(">II", data, 16)
    return int(width), int(height)


def tone_wav(seconds: float, pitch: float = 440.0, rate: int = 16_000) -> bytes:
    """A sine in 16-bit mono PCM, `2 * rate * seconds` bytes and a header."""
    samples = array.array("h", (int(12_000 * math.sin(2 * math.pi * pitch * n / rate)) for n in range(int(rate * seconds))))
    if sys.byteorder == "big":
        samples.byteswap()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def silent_mp3(frames: int, comment: str) -> bytes:
    """An ID3v2.4 tag with the comment, then MPEG-1 layer III frames of silence, 417 bytes and 26 ms each."""
    text = b"\x03comment\0" + comment.encode()
    frame = b"TXXX" + _synchsafe(len(text)) + b"\0\0" + text
    tag = b"ID3\x04\0\0" + _synchsafe(len(frame)) + frame
    return tag + (b"\xff\xfb\x90\xc4" + bytes(413)) * frames


def _synchsafe(number: int) -> bytes:
    return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))
