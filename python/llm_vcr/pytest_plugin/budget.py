"""What a run may spend on live calls, over all its workers: so many calls, exactly; and no further call once so many dollars are spent."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_vcr.vcr_request import Request

_SPENT = "spent"
"""The file in which every process writes what its calls cost, a line each. An unknown price is a question mark and what is unknown."""


class Budget:
    """Tickets for live calls. A ticket is a file that only one process can create, so no lock is needed and none can be left behind.

    The price of a call is known when it has been answered: what is under way meanwhile is not counted in dollars.
    """

    def __init__(self, limit: int | None, folder: Path | None, dollars: float | None = None) -> None:
        """Allow ``limit`` calls, and calls until ``dollars`` are spent; no limit is ``None``. Workers of one run share ``folder``."""
        self.limit = limit
        self.dollars = dollars
        self._folder = folder
        self._next = 0
        self._read = 0
        """How much of the shared file has been read, in bytes."""
        self._spent = 0.0
        self._unknown: list[str] = []
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a ticket for one call; ``False`` where none is left, or the dollars are spent."""
        if self._folder is None:
            return True
        if self._is_spent():
            return False
        if self.limit is None:
            return True
        with self._lock:
            while self._next < self.limit:
                number, self._next = self._next, self._next + 1
                try:
                    os.close(os.open(self._folder / f"call-{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                except FileExistsError:
                    continue
                return True
        return False

    def settle(self, request: Request, response: Mapping[str, Any]) -> None:
        """Write down what a call cost, for all workers."""
        if self.dollars is None:
            return
        from llm_vcr.exchange.content import used
        from llm_vcr.exchange.prices import price

        call = used(str(request.method), request.uri, request.headers, request._body, response)
        if call is not None:
            cost = price(call)
            self._note(f"? {cost.why_unknown}" if cost.dollars is None else repr(cost.dollars))

    def settle_unseen(self, host: str) -> None:
        """Write down that a call around every cassette was let through: nobody sees what it costs."""
        if self.dollars is not None:
            self._note(f"? {host}: a call around every cassette")

    def _note(self, line: str) -> None:
        if self._folder is None:
            return
        # One write of one line: with O_APPEND, those of several processes stand one after the other.
        file = os.open(self._folder / _SPENT, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        try:
            os.write(file, (" ".join(line.split()) + "\n").encode("utf-8", "replace"))
        finally:
            os.close(file)

    def spent(self) -> tuple[float, list[str]]:
        """The dollars spent by all workers so far, and of which calls the price is unknown, one sentence each."""
        if self._folder is None:
            return 0.0, []
        with self._lock:
            try:
                with open(self._folder / _SPENT, "rb") as file:
                    file.seek(self._read)
                    fresh = file.read()
            except FileNotFoundError:
                fresh = b""
            whole = fresh[: fresh.rfind(b"\n") + 1]
            self._read += len(whole)
            for line in whole.decode("utf-8").splitlines():
                if line.startswith("? "):
                    self._unknown.append(line[2:])
                else:
                    self._spent += float(line)
            return self._spent, list(self._unknown)

    def _is_spent(self) -> bool:
        # What a tenth is to floating point must not let one more call through.
        return self.dollars is not None and round(self.spent()[0], 10) >= self.dollars

    def why_refused(self) -> str:
        """What a refused caller is told."""
        if self._is_spent():
            return f"{USD} {self.dollars:g} is spent" if self.dollars else f"{USD} 0 allows no call"
        return f"--llm-vcr-max-live-calls {self.limit} is used up" if self.limit else "--llm-vcr-max-live-calls 0 allows no call"


USD = "--llm-vcr-max-live-usd"
"""The flag, as a refusal names it."""
