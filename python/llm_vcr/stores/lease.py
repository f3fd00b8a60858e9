"""One recording at a time: who misses first takes the cassette's lease, the others wait, and then play what was recorded.

The lease is one per cassette, not per request: two processes that want the same two answers in another order would wait for each other.
A holder never waits; so nobody waits with a call of its own under way. A heartbeat keeps the lease while its process lives; one that was
killed loses it within `LEASE` seconds.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable
from typing import ClassVar, Protocol, runtime_checkable

from llm_vcr.errors import StoreUnavailableError

LEASE = 5.0
"""Seconds for which a lease lasts without a heartbeat."""

HEARTBEAT = 1.25
POLL = 0.1


@runtime_checkable
class LeaseStore(Protocol):
    """A store that several processes record into."""

    def acquire(self, cassette_id: str, owner: str, seconds: float) -> bool:
        """Take the lease of a cassette, if nobody has it."""

    def renew(self, cassette_ids: list[str], owner: str, seconds: float) -> None:
        """Prolong leases that ``owner`` has."""

    def release(self, cassette_id: str, owner: str) -> None:
        """Give a lease back."""

    def is_leased(self, cassette_id: str) -> bool:
        """Whether somebody has the lease of a cassette."""


class Leases:
    """The leases of this process in one store, and the thread that renews them."""

    _known: ClassVar[weakref.WeakKeyDictionary[object, Leases]] = weakref.WeakKeyDictionary()

    def __init__(self, store: LeaseStore) -> None:
        self.store = store
        self.owner = ""
        self._pid = 0
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def of(cls, store: object) -> Leases | None:
        """The leases in ``store``, or ``None`` for one that nobody shares."""
        # A protocol looks at each of its members in Python: for files, that would be done for each test.
        if not hasattr(store, "acquire") or not isinstance(store, LeaseStore):
            return None
        if store not in cls._known:
            cls._known[store] = cls(store)
        return cls._known[store]

    def flight(self, cassette_id: str, patience: float, on_lost: Callable[[StoreUnavailableError], None] = lambda _: None) -> Flight:
        """A recording of this cassette that may have to wait ``patience`` seconds in all; ``on_lost`` is told of a store out of reach."""
        return Flight(self, cassette_id, patience, on_lost)

    def _own_process(self) -> None:
        # A fork has our memory, and neither our leases nor our thread.
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self.owner = f"{self._pid}-{secrets.token_hex(8)}"
            self._held = set()
            self._thread = None
            self._lock = threading.Lock()
            self._wake = threading.Event()

    def holds_any(self) -> bool:
        """Whether this process has a lease of any cassette."""
        self._own_process()
        return bool(self._held)

    def take(self, cassette_id: str) -> bool:
        """Take a lease if nobody has it.

        Raises:
            StoreUnavailableError: where the store cannot be reached.
        """
        self._own_process()
        if not self.store.acquire(cassette_id, self.owner, LEASE):
            return False
        with self._lock:
            self._held.add(cassette_id)
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(target=self._beat, name="llm-vcr-leases", daemon=True)
                self._thread.start()
        return True

    def give_back(self, cassette_id: str) -> None:
        """Release a lease; one that cannot be given back runs out by itself."""
        with self._lock:
            self._held.discard(cassette_id)
            if not self._held:
                self._wake.set()
        try:
            self.store.release(cassette_id, self.owner)
        except StoreUnavailableError:
            return

    def _beat(self) -> None:
        while True:
            self._wake.wait(HEARTBEAT)
            with self._lock:
                held = sorted(self._held)
                if not held:
                    self._thread = None
                    return
                self._wake.clear()
            try:
                self.store.renew(held, self.owner, LEASE)
            except StoreUnavailableError:
                continue


class Flight:
    """A cassette's recording, as one process sees it."""

    def __init__(self, leases: Leases, cassette_id: str, patience: float, on_lost: Callable[[StoreUnavailableError], None]) -> None:
        self._leases = leases
        self._cassette_id = cassette_id
        self._patience = patience
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self.holds = False
        self._off = False

    def must_look_again(self) -> bool:
        """Called at a miss: ``False`` to go live now, ``True`` after others may have stored what is missing.

        The first time it is ours, too: somebody may have recorded between our load and our lease.
        """
        with self._lock:
            if self._off:
                return False
            try:
                self.holds = self._leases.take(self._cassette_id)
                if self.holds or self._leases.holds_any():
                    self._off = True
                    return self.holds
                self._await()
            except StoreUnavailableError as error:
                self._off = True
                self._on_lost(error)
                return False
            return True

    def _await(self) -> None:
        begun = time.monotonic()
        while self._leases.store.is_leased(self._cassette_id):
            if time.monotonic() - begun >= self._patience:
                self._off = True
                break
            time.sleep(POLL)
        self._patience -= time.monotonic() - begun

    def land(self) -> None:
        """After the save, or the refused save: others may go on."""
        if self.holds:
            self.holds = False
            self._leases.give_back(self._cassette_id)
        self._off = True
