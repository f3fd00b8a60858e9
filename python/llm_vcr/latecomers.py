"""HTTP clients that nobody has imported: vcrpy without them, and all that is done when one of them is imported after all.

``import vcr`` imports every client that is installed, to keep the methods that its cassettes replace. That was half of what a short replay
costs, for clients its suite never uses. Here those that can wait are kept from vcr.patch, and from nobody else, as if they were not
installed. Whoever imports one later has it taken up before the import statement goes on, and before the import system lets any other thread
have the module: vcr.patch learns the names it would have had, what watches the client begins to, every open cassette patches it.

What can wait derives from nothing that an open cassette replaces. urllib3, botocore and httplib2 cannot: their classes derive from those of
http.client while they are imported. Nobody waits where vcrpy was imported before us, or by somebody who did not ask for it (`import_vcr`).
"""

from __future__ import annotations

import ast
import contextlib
import enum
import functools
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, ModuleType
from typing import Any

from llm_vcr import standins

CLIENTS = {"aiohttp": "aiohttp", "httpx": "httpx", "httpx2": "httpx2", "requests": "requests", "tornado": "tornado.simple_httpclient"}
"""The clients that can wait, as vcrpy calls its groups of patchers, and the module that vcr.patch imports of each."""

_COMPANIONS = {"httpx": ("httpx_curl_cffi", "pyreqwest"), "requests": ("socks",), "tornado": ("pycurl",)}
"""What a client does not wait beside: vcr.patch imports it along with the client; or urllib3 does, to derive from its own classes."""

_OUTER = {"tornado": "tornado"}
"""The packages that are imported on the way to a client's module, with the client."""

_STUBS = {"vcr.stubs.aiohttp_stubs": "aiohttp"}
"""Stubs that import their client themselves, which then asks for its stubs."""

_DONE = 0
"""What tells the import system that a module is initialized, and us that it has not said so itself yet: that would be ``False``."""

lock = threading.RLock()
"""Held while a client is taken up, and while a cassette puts its patches in place or takes them back: one at a time. It may be taken
again, as whatever is collected meanwhile may be a cassette that nobody left."""


class Step(enum.IntEnum):
    """What is done when a client is there, in this order."""

    WATCH = enum.auto()
    """Below every cassette, as with a client that was there before."""
    LOOK = enum.auto()
    """What stands in it, before a cassette puts something in its place."""
    MEND = enum.auto()
    """vcrpy's stubs, which the patches are made of."""
    PATCH = enum.auto()
    """For every open cassette."""
    TRY = enum.auto()
    """With a request of its own. The module may be used by then, and the lock is free."""


def import_vcr() -> None:
    """Import vcrpy, and let those clients wait that can and that nobody has imported."""
    if "vcr.patch" in sys.modules or not _has_source():
        importlib.import_module("vcr")
        return
    _finder.begin()
    sys.meta_path.insert(0, _finder)
    try:
        with standins.in_place():
            importlib.import_module("vcr")
    finally:
        _finder.refuses = False
        if "vcr.patch" not in sys.modules or not _finder.awaited:
            _finder.awaited.clear()
            sys.meta_path.remove(_finder)
        else:
            vars(sys.modules["vcr.patch"])["__getattr__"] = _ask_for


def is_awaited(client: str) -> bool:
    """Whether a client has been kept from vcrpy and nobody has imported it. Of one that has come in another way, vcrpy learns now."""
    return _finder.is_awaited(CLIENTS.get(client, client))


def awaited() -> frozenset[str]:
    """All the clients that are awaited."""
    return frozenset([client for module, client in _finder.awaited.items() if _finder.is_awaited(module)])


def arrivals() -> int:
    """How many have come: what was made for fewer of them may lack something."""
    return _finder.arrivals


def on_arrival(step: Step, call: Callable[[str], None]) -> Callable[[], None]:
    """Have ``call`` told the name of each client that comes. Give back what ends that."""
    entry = (step, call)
    _finder.told.append(entry)

    def end() -> None:
        with contextlib.suppress(ValueError):
            _finder.told.remove(entry)

    return end


def stay_in_front() -> None:
    """Ask to be asked first: what finds modules before us finds those clients, too."""
    if _finder.awaited and sys.meta_path[0] is not _finder:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(_finder)
        sys.meta_path.insert(0, _finder)


class _Finder:
    """Stands before all other finders, and hands on what they find with a loader that tells when it is done."""

    def __init__(self) -> None:
        self.refuses = False
        """vcr.patch is being imported."""
        self.awaited: dict[str, str] = {}
        """The clients that were kept from it, by their modules. They stay here: a copy may be imported anew."""
        self.told: list[tuple[Step, Callable[[str], None]]] = []
        self.arrivals = 0
        self._arriving: set[str] = set()
        self._come: dict[str, ModuleType] = {}
        """The copy of each that vcr.patch has the names of."""
        self._names: list[tuple[ModuleType, dict[str, Any]]] = []
        """What was unpatched in each copy when it came."""
        self._asking = threading.local()

    def begin(self) -> None:
        """Be asked for what vcr.patch imports, which knows nothing of what another copy of it has learned."""
        self.refuses = True
        self.awaited.clear()
        self._come.clear()

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """See `importlib.abc.MetaPathFinder`."""
        if (self.refuses and self._is_kept_from(fullname)) or self._is_not_to_be_reset(fullname):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if fullname in _STUBS:
            return self._stubs(fullname)
        # What is reloaded is the same module, which has come already. Other finders may well ask all finders, too.
        if fullname not in self.awaited or target is not None or fullname in vars(self._asking):
            return None
        vars(self._asking)[fullname] = True
        try:
            spec = _found_by_others(fullname, path)
        finally:
            del vars(self._asking)[fullname]
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader, fullname)
        return spec

    def _is_kept_from(self, fullname: str) -> bool:
        """Whether it is vcr.patch that asks, for a client that can wait.

        The import system holds its lock for that module: nobody is in the midst of importing it, and who comes later finds us.
        """
        client = _OUTER.get(fullname) or next((client for client, module in CLIENTS.items() if module == fullname), None)
        if client is None or not _is_asked_by_vcr("<module>") or any(map(importlib.util.find_spec, _COMPANIONS.get(client, ()))):
            return False
        self.awaited[CLIENTS[client]] = client
        return True

    def _is_not_to_be_reset(self, fullname: str) -> bool:
        """Whether vcr.patch asks to take back what is patched: of what nobody has imported nothing is."""
        return CLIENTS.get(_OUTER.get(fullname, ""), fullname) in self.awaited and _is_asked_by_vcr("reset_patchers")

    def _stubs(self, fullname: str) -> Any:
        """Have the client come before its stubs: where a cassette is open, they have been imported for it then."""
        if not self.is_awaited(_STUBS[fullname]):
            return None
        importlib.import_module(_STUBS[fullname])
        if (module := sys.modules.get(fullname)) is not None:
            # The import system goes by what such a module says of itself.
            loader: Any = _AsItIs(module)
            module.__spec__ = importlib.machinery.ModuleSpec(fullname, loader)
            return module.__spec__
        return None

    def is_awaited(self, name: str) -> bool:
        """See `is_awaited`, by the module of the client."""
        if name not in self.awaited:
            return False
        module, come = sys.modules.get(name), self._come.get(name)
        if module is None:
            # For a moment, the import system takes out what it has just put there.
            return come is None or getattr(getattr(come, "__spec__", None), "_initializing", False) is not _DONE
        if module is come:
            return False
        with lock:
            spec = getattr(module, "__spec__", None)  # a module that is loaded lazily is loaded by that
            if module is self._come.get(name):
                return False
            if name in self._arriving or isinstance(getattr(spec, "loader", None), _Loader):
                return True
            return not self._take(name, module)

    def _take(self, name: str, module: ModuleType) -> bool:
        """Take up what somebody has put among the modules: an earlier copy, or something that stands in for the client."""
        try:
            names = self._known(module) or _names_in_vcr(name)
        except Exception:  # noqa: BLE001 - it has not what would be patched
            return False
        if self._come.get(name) is not module:  # looking at it may have imported it
            self._learn(name, module, names)
        return True

    def _known(self, module: ModuleType) -> dict[str, Any] | None:
        return next((names for one, names in self._names if one is module), None)

    def _learn(self, name: str, module: ModuleType, names: dict[str, Any]) -> None:
        vars(sys.modules["vcr.patch"]).update(names)
        if self._known(module) is None:
            self._names.append((module, names))
        self._come[name] = module
        self.arrivals += 1

    @contextlib.contextmanager
    def arriving(self, name: str) -> Iterator[None]:
        """The module of this name is being imported inside, and is there at the end."""
        before = self._come.get(name)
        # Of a package that was thrown away, and its modules not, the classes are the ones that have been patched already.
        same = before is not None and any(one.startswith(f"{name}.") for one in [*sys.modules])
        self._arriving.add(name)
        try:
            yield
            self._welcome(name, self._known(before) if before is not None and same else None)
        finally:
            self._arriving.discard(name)

    def _welcome(self, name: str, names: dict[str, Any] | None) -> None:
        module = sys.modules.get(name)
        if module is None or module is self._come.get(name):
            return  # a copy that somebody makes for themselves
        outer, _, last = name.rpartition(".")
        with lock:
            if outer:
                setattr(sys.modules[outer], last, module)  # the import system is about to
            self._learn(name, module, names or _names_in_vcr(name))
            self._tell(name, *(step for step in Step if step < Step.TRY))
            # It is there for everybody: threads that try it out must not wait for the one that waits for them.
            if (spec := getattr(module, "__spec__", None)) is not None:
                spec._initializing = _DONE
        self._tell(name, Step.TRY)

    def _tell(self, name: str, *steps: Step) -> None:
        for step in steps:
            for when, call in [*self.told]:
                if when is step:
                    call(self.awaited[name])


_finder = _Finder()


class _Loader:
    """The loader of a client, until that is executed."""

    def __init__(self, loader: Any, name: str) -> None:
        self._loader = loader
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name == "_loader":  # one that is being copied has none yet
            raise AttributeError(name)
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        with _finder.arriving(self._name):
            self._loader.exec_module(module)


class _AsItIs:
    """Gives the import system a module that has been imported while it was looked for."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: object) -> ModuleType:  # noqa: ARG002 - the import system's protocol
        """See `importlib.abc.Loader`."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it was."""
        module.__spec__ = self._spec


def _found_by_others(fullname: str, path: Sequence[str] | None) -> Any:
    for finder in [*sys.meta_path]:
        find = getattr(finder, "find_spec", None)
        if finder is not _finder and find is not None and (spec := find(fullname, path, None)) is not None:
            return spec
    return None


def _is_asked_by_vcr(where: str) -> bool:
    """Whether the import statement that is executed stands in this part of vcr.patch."""
    frame = sys._getframe(1)
    while frame is not None and (frame.f_globals is globals() or frame.f_code.co_filename.startswith("<frozen importlib")):
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return frame is not None and frame.f_code.co_name == where and frame.f_globals.get("__name__") == "vcr.patch"


# --- what vcr.patch would have done


def _has_source() -> bool:
    spec = importlib.util.find_spec("vcr")
    folders = spec.submodule_search_locations if spec is not None else None
    return any(os.path.isfile(os.path.join(folder, "patch.py")) for folder in folders or ())


@functools.cache
def _statements() -> dict[str, tuple[CodeType, frozenset[str]]]:
    """What vcr.patch does when it is imported, for each client: the code, and the names it gives."""
    patch: Any = sys.modules["vcr.patch"]
    tree = ast.parse(patch.__loader__.get_source("vcr.patch"))
    found: dict[str, list[ast.stmt]] = {}
    for one in tree.body:
        imported = [alias.name for node in ast.walk(one) if isinstance(node, ast.Import) for alias in node.names]
        for module in CLIENTS.values():
            if not isinstance(one, ast.FunctionDef | ast.ClassDef) and any(f"{name}.".startswith(f"{module}.") for name in imported):
                # Without what it does where the client is not installed.
                found.setdefault(module, []).extend([*one.body, *one.orelse] if isinstance(one, ast.Try) else [one])
    return {
        module: (
            compile(ast.Module(body, []), patch.__file__, "exec"),
            frozenset(node.id for one in body for node in ast.walk(one) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)),
        )
        for module, body in found.items()
    }


def _names_in_vcr(module: str) -> dict[str, Any]:
    """The names that vcr.patch has for a client, and what they stand for."""
    code, _ = _statements()[module]
    found: dict[str, Any] = {"__name__": "vcr.patch", "__package__": "vcr"}
    exec(code, found)  # noqa: S102 - vcrpy's own code, as it stands in the file
    return {name: one for name, one in found.items() if not name.startswith("__")}


def _ask_for(name: str) -> Any:
    """Give what vcr.patch does not have yet to whoever asks for it, as if it had been there: the client is imported for that."""
    if not name.startswith("__"):
        for module in [*_finder.awaited]:
            if name in (*_statements()[module][1], module.partition(".")[0]):
                with contextlib.suppress(ImportError, KeyError):
                    importlib.import_module(module)
                    return vars(sys.modules["vcr.patch"])[name]
    raise AttributeError(f"module 'vcr.patch' has no attribute {name!r}")
