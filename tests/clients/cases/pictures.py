"""What is uploaded: the same bytes in every process."""

from __future__ import annotations

import functools
import random

from tests.fake_provider import noise_png, tone_wav


@functools.cache
def picture(seed: int = 0, side: int = 16) -> bytes:
    """A PNG of noise; 16 by 16 is about 800 bytes."""
    return noise_png(side, side, random.Random(seed))


@functools.cache
def sized(length: int, seed: int = 0) -> bytes:
    """A PNG of about so many bytes."""
    side = max(16, int((length / 3) ** 0.5))
    return noise_png(side, side, random.Random(seed))


@functools.cache
def other_pixel() -> bytes:
    """`picture` with the last bytes of its pixels changed."""
    return noise_png(16, 16, random.Random(99))


@functools.cache
def sound() -> bytes:
    """A short WAV."""
    return tone_wav(1, 440)
