"""Which test started the code that is running: traffic that outlives its test is no other test's.

Where something comes from travels in a context variable. asyncio hands those on by itself: to tasks, to ``asyncio.to_thread`` and
``loop.run_in_executor``, to ``run_coroutine_threadsafe`` and to anyio's worker threads. We hand it on where Python does not: to a thread
that is started, and with what is submitted to a `ThreadPoolExecutor`, whose threads work for whoever asks.

What a fixture of a wider scope starts is nobody's in particular, and so is what was started while tests were collected: such a thread or
task works for the test that runs. What cannot be told apart: a thread that one test has started and that takes work of the next one out of
a queue looks as if it still worked for the first.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from llm_vcr.pytest_plugin.patching import Patches


@dataclass(frozen=True, eq=False)
class Origin:
    """One attempt at a test, as what it started remembers it: nothing of the test itself, as a thread may live as long as the run."""

    nodeid: str


_origin: contextvars.ContextVar[Origin | None] = contextvars.ContextVar("llm_vcr_origin", default=None)
_AT_START = "_llm_vcr_origin"


class Origins:
    """Knows which test is running, and asks the code that is running which one started it."""

    def __init__(self) -> None:
        self.current: Origin | None = None
        """The test that is running."""
        self._home = threading.get_ident()

    def watch(self, patches: Patches) -> None:
        """Let threads, and work that is submitted to threads, remember where they come from."""
        patches.put(threading.Thread, "start", _start)
        patches.put(threading.Thread, "_bootstrap_inner", _bootstrap)

    def begin(self, nodeid: str) -> None:
        """A test begins, in the thread that calls."""
        self._home = threading.get_ident()
        self.current = Origin(nodeid)
        _origin.set(self.current)

    def end(self) -> None:
        """It is over."""
        self.current = None
        _origin.set(None)

    @contextlib.contextmanager
    def nobodys(self) -> Iterator[None]:
        """What is started inside serves more than one test."""
        before = _origin.set(None)
        try:
            yield
        finally:
            _origin.reset(before)

    def of_another(self) -> Origin | None:
        """The test that started what is running, if that is over; ``None`` where it is the one that runs, or nobody's in particular."""
        origin = _origin.get()
        return None if origin is self.current else origin

    def is_background(self) -> bool:
        """Whether a thread is running that no test has started."""
        return _origin.get() is None and threading.get_ident() != self._home


def _start(original: Callable[..., None]) -> Callable[..., None]:
    def start(thread: threading.Thread) -> None:
        thread.__dict__[_AT_START] = _origin.get()
        original(thread)

    return start


def _bootstrap(original: Callable[..., None]) -> Callable[..., None]:
    """The first thing a thread does, in a context of its own: what it starts in turn finds it there."""

    def _bootstrap_inner(thread: threading.Thread) -> None:
        _origin.set(thread.__dict__.pop(_AT_START, None))
        original(thread)

    return _bootstrap_inner


def watch_executors(patches: Patches, module: Any) -> None:
    """Let work remember who submitted it, whichever thread does it."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def submit(executor: Any, work: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
            return original(executor, functools.partial(_on_behalf_of, _origin.get(), work), *arguments, **keywords)

        return submit

    patches.put(module.ThreadPoolExecutor, "submit", make)


def _on_behalf_of(origin: Origin | None, work: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    before = _origin.set(origin)
    try:
        return work(*arguments, **keywords)
    finally:
        _origin.reset(before)
