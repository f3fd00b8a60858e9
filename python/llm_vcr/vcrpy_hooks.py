"""Every place where we lean on vcrpy: `install`, `vcr_config`, `VCR`, and the patches that last as long as a cassette.

The internals used are listed in `INTERNALS`, and `check_internals` says in one sentence which of them a new vcrpy no longer has.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import vcr as vcrpy
from vcr.cassette import CassetteContextDecorator
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.persisters.filesystem import FilesystemPersister

from llm_vcr import config, mends, patches
from llm_vcr.config import Settings
from llm_vcr.errors import LlmVcrError
from llm_vcr.filters import Filters
from llm_vcr.persister import Persister
from llm_vcr.playback.cassette import Cassette
from llm_vcr.playback.policy import Policy
from llm_vcr.stores import open_store
from llm_vcr.vcr_request import AiohttpRequest, Request

MATCH_ON = ("method", "scheme", "host", "port", "path", "query", "llm_body", "llm_key")
"""What decides a match where the user does not say."""

INTERNALS = {
    "vcr.config:VCR": ("get_merged_config", "_use_cassette", "register_matcher", "register_persister"),
    "vcr.cassette:Cassette": (
        "_load",
        "_save",
        "_responses",
        "append",
        "can_play_response_for",
        "play_response",
        "load",
        "write_protected",
    ),
    "vcr.cassette:CassetteContextDecorator": ("__enter__", "__exit__", "_execute_function", "_non_cassette_arguments"),
    "vcr.request:Request": ("_to_dict", "_from_dict", "body", "headers"),
    "vcr.request:HeadersDict": ("copy",),
    "vcr.patch:CassettePatcherBuilder": ("build",),
    "vcr.stubs": ("Request", "CannotOverwriteExistingCassetteException"),
    "vcr.stubs.httpx_stubs": ("VcrRequest", "CannotOverwriteExistingCassetteException"),
}
"""What we use of vcrpy beyond its documentation: ``module:class`` and its attributes."""


class RefusedCall(CannotOverwriteExistingCassetteException):  # type: ignore[misc]  # vcrpy is not typed
    """vcrpy's error for a call that may not be made, about the request as it would be stored: without its secrets."""

    def __init__(self, *args: Any, cassette: Cassette, failed_request: Any) -> None:
        """Say what ``cassette`` has instead of ``failed_request``."""
        cassette = patches.actual(cassette)
        # One of vcrpy's own that was opened inside of ours says it in its own words.
        failed = cassette.as_stored(failed_request) if isinstance(cassette, Cassette) else failed_request
        super().__init__(*args, cassette=cassette, failed_request=failed)


# What vcrpy's stubs make: requests, whose body ours reads before vcrpy walks an iterator or aiohttp empties a form, and errors.
_MADE_BY_STUBS = (
    ("vcr.stubs", "Request", None, Request),
    ("vcr.stubs.aiohttp_stubs", "Request", "aiohttp", AiohttpRequest),
    ("vcr.stubs.httpx_stubs", "VcrRequest", None, Request),
    ("vcr.stubs", "CannotOverwriteExistingCassetteException", None, RefusedCall),
    ("vcr.stubs.aiohttp_stubs", "CannotOverwriteExistingCassetteException", "aiohttp", RefusedCall),
    ("vcr.stubs.httpx_stubs", "CannotOverwriteExistingCassetteException", None, RefusedCall),
    ("vcr.stubs.tornado_stubs", "CannotOverwriteExistingCassetteException", "tornado", RefusedCall),
)
"""The module and name, the client it is for (without one, it is for all), and what is put there."""

# Transports that end in the process itself: what they answer is the user's own application, and must not come from yesterday.
_IN_PROCESS = (
    ("MockTransport", "handle_request"),
    ("MockTransport", "handle_async_request"),
    ("WSGITransport", "handle_request"),
    ("ASGITransport", "handle_async_request"),
)


@functools.cache
def check_internals() -> None:
    """Raise one clear sentence where vcrpy lacks what we lean on.

    Raises:
        LlmVcrError: naming vcrpy's version and what is missing.
    """
    missing = []
    for place, names in INTERNALS.items():
        module, _, owner = place.partition(":")
        thing: object = importlib.import_module(module)
        thing = getattr(thing, owner, None) if owner else thing
        missing += [f"{place}.{name}" for name in names if not hasattr(thing, name)]
    if missing:
        raise LlmVcrError(
            f"vcrpy {vcrpy.__version__} no longer has {', '.join(missing)}: install an older vcrpy (9.4), or a newer llm-vcr-rs"
        )


def vcr_config(**overrides: Any) -> dict[str, Any]:
    """Keyword arguments for ``vcr.VCR(...)``, or what pytest-recording's fixture ``vcr_config`` returns.

    Names of our settings (``media=``, ``ignore=``, ``credential=`` …) are settings; every other name is passed on to vcrpy. A filter of
    your own runs after ours; ``match_on`` is yours. The result survives ``copy.deepcopy``.

    Raises:
        ConfigError: for a setting that cannot be.
    """
    ours, keywords = _split(overrides)
    filters = Filters(config.override(config.read(), "vcr_config", **ours))
    return {
        # Registered names would be unknown to a plain `vcr.VCR`: there, the body that our filter leaves compares itself.
        "match_on": _of_vcr_config(),
        "decode_compressed_response": True,
        "record_on_exception": False,
        **{name: value for name, value in keywords.items() if name not in _COMPOSED},
        **{name: _chain(_Hook(filters, name, overrides=ours), keywords.get(name)) for name in _COMPOSED},
    }


class _Hook:
    """One of the filters as a plain callable that a deep copy leaves alone, and by which `install` recognises them."""

    def __init__(self, filters: Filters, name: str, overrides: Mapping[str, Any]) -> None:
        self.filters = filters
        self.overrides = overrides
        self.name = name
        self.__name__ = name

    def __call__(self, *arguments: Any) -> Any:
        # vcrpy offers the cassette as a third argument to whoever can take one.
        result = getattr(self.filters, self.name)(*arguments[:2])
        return result.comparable(self.filters.matchers) if self.name == "before_record_request" else result

    def __deepcopy__(self, memo: object) -> _Hook:
        return self


_USER_FILTERS = {
    "before_record_request": (
        *("before_record_request", "filter_headers", "filter_query_parameters", "filter_post_data_parameters"),
        *("ignore_hosts", "ignore_localhost"),
    ),
    "before_record_response": ("before_record_response", "decode_compressed_response"),
}
"""The filters that vcrpy composes, and the settings without which they do nothing."""

_COMPOSED = ("before_record_request", "before_record_response", "before_save_interaction", "after_load_interaction")


def _chain(ours: _Hook, theirs: Any) -> list[Any]:
    own = [] if theirs is None else list(theirs) if isinstance(theirs, list | tuple) else [theirs]
    return [ours, *(one for one in own if not isinstance(one, _Hook))]


_NOT_OF_A_CASSETTE = ("record_mode", "mode")
"""``record_mode`` is vcrpy's own word for the same thing; whether we are on at all is nothing a cassette could be told."""


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our settings, and everything else, which is vcrpy's to judge (its cassettes pass over what they do not know)."""
    ours = {name: value for name, value in values.items() if name in config.TABLE and name not in _NOT_OF_A_CASSETTE}
    return ours, {name: value for name, value in values.items() if name not in ours}


def VCR(**overrides: Any) -> vcrpy.VCR:  # noqa: N802 - it stands for the class of that name, with its keywords
    """A `vcr.VCR` with everything of ours: `vcr_config` and `install` in one.

    Raises:
        ConfigError: for a setting that cannot be.
    """
    ours, keywords = _split(overrides)
    made = install(vcrpy.VCR(**keywords), config.override(config.read(), "VCR", **ours))
    if tuple(keywords.get("match_on", ())) == _default_match():
        made.match_on = keywords["match_on"]  # which `install` could not know to be named on purpose
    return made


def install(vcr: vcrpy.VCR, settings: Settings | None = None, *, policy: Policy | None = None) -> vcrpy.VCR:
    """Register our matchers and persister on a ``vcr.VCR`` of the user's, and let its cassettes be ours. Twice is once.

    ``match_on`` and the persister are set where they are vcrpy's defaults; the user's own filters run after ours. Nothing of
    vcrpy itself is changed, only this one object.

    Raises:
        LlmVcrError: where this vcrpy lacks something we lean on.
    """
    present: Policy | None = getattr(vcr, "_llm_vcr_policy", None)
    if present is not None and settings is None and policy is None:
        return vcr
    check_internals()
    if policy is None:
        settings = settings or _settings_of(vcr) or config.read()
        policy = Policy(settings, Persister(open_store(settings.store, settings), settings=settings))
    ours = policy
    matchers = ours.filters.matchers
    for matcher in (matchers.body, matchers.key, matchers.request):
        vcr.register_matcher(matcher.__name__, matcher)
    if tuple(vcr.match_on) in (_default_match(), _of_vcr_config()):
        vcr.match_on = MATCH_ON
    if vcr.persister is FilesystemPersister or isinstance(vcr.persister, Persister):
        vcr.register_persister(ours.persister)
    vcr._llm_vcr_policy = ours
    # On the instance: the method of the class, and every other `vcr.VCR`, stay as they are.
    vcr._use_cassette = functools.partial(_use_cassette, vcr)
    return vcr


def _settings_of(vcr: vcrpy.VCR) -> Settings | None:
    """The settings inside a `vcr_config` that this object was made with."""
    for hook in vcr.before_record_request if isinstance(vcr.before_record_request, list | tuple) else ():
        if isinstance(hook, _Hook):
            return hook.filters.settings
    return None


def _of_vcr_config() -> tuple[str, ...]:
    """The ``match_on`` of `vcr_config`, which stands for ours."""
    return (*_default_match(), "raw_body")


@functools.cache
def _default_match() -> tuple[str, ...]:
    import inspect

    return tuple(inspect.signature(vcrpy.VCR.__init__).parameters["match_on"].default)


def _use_cassette(vcr: vcrpy.VCR, with_current_defaults: bool = False, **kwargs: Any) -> CassetteContextDecorator:
    """`vcr.VCR._use_cassette`, with a cassette of ours. It is evaluated late, as vcrpy does, so that the decorator form keeps working."""
    merged = functools.partial(arguments_of, vcr, kwargs)
    if with_current_defaults:
        frozen = merged()
        return _Context(Cassette, frozen.copy)
    return _Context(Cassette, merged)


def arguments_of(vcr: vcrpy.VCR, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What a cassette of ours is made with, on a ``vcr.VCR`` that `install` has seen, with these keyword arguments of ``use_cassette``."""
    policy: Policy = vcr._llm_vcr_policy
    ours, options = _split(kwargs)
    if "before_record" in options:  # the same by an older name, which vcrpy looks at only where there is no other
        options.setdefault("before_record_request", options.pop("before_record"))
    for name in _COMPOSED:
        hooks = options.get(name, getattr(vcr, name))
        if hooks is None:
            continue
        hooks = _listed(hooks)
        # Our cassette calls the filters itself, each when its time has come.
        options[name] = [one for one in hooks if not isinstance(one, _Hook)]
        for hook in hooks:
            ours = {**hook.overrides, **ours} if isinstance(hook, _Hook) else ours
    policy = policy.under("vcr_config", ours) if ours else policy
    options |= policy.forced
    if "match_on" in options and tuple(options["match_on"]) == _of_vcr_config():
        options["match_on"] = MATCH_ON
    arguments: dict[str, Any] = vcr.get_merged_config(**options)
    for name, switches in _USER_FILTERS.items():
        # vcrpy makes a filter of nothing, which copies each request and answer for nothing.
        if not any(options[one] if one in options else getattr(vcr, one, None) for one in switches):
            arguments[name] = None
    # The registered ones may be under other settings.
    matchers = policy.filters.matchers
    own = {"llm_body": matchers.body, "llm_key": matchers.key, "llm_request": matchers.request}
    arguments["match_on"] = [own.get(getattr(one, "__name__", ""), one) for one in arguments["match_on"]]
    arguments["record_on_exception"] = False
    arguments["allow_playback_repeats"] = options.get("allow_playback_repeats", True)
    arguments["policy"] = policy
    return arguments


def context(arguments: dict[str, Any]) -> CassetteContextDecorator:
    """A cassette of ours that is made with these arguments, to be opened once."""
    return _Context(Cassette, lambda: arguments)


def throw_away(kind: type[Cassette], arguments: Mapping[str, Any]) -> CassetteContextDecorator:
    """A cassette of this kind, opened as one with these arguments would be, and of which nothing is loaded or kept."""
    nowhere = {"path": "throw-away", "path_transformer": None, "func_path_generator": None, "inject": False}
    return _Context(kind, lambda: {**arguments, **nowhere})


class _Context(CassetteContextDecorator):  # type: ignore[misc]  # vcrpy is not typed
    """vcrpy's, with our mends in place before it patches the clients; the cassette is left even if it was not saved."""

    _args_getter: Callable[[], dict[str, Any]]
    _cassette: Cassette | None = None
    _patched: Iterator[Any] | None = None

    def __enter__(self) -> Any:
        """As vcrpy's. The arguments are asked for once: whatever becomes of the user's object meanwhile, it must be left."""
        if self._patched is not None:
            raise AssertionError("Cassette already open.")
        arguments = self._args_getter()
        if (before_open := arguments["policy"].before_open) is not None:
            before_open(arguments)
        if "path" not in arguments:
            return super().__enter__()  # which says what is missing
        transformer = arguments.get("path_transformer")
        path = transformer(arguments["path"]) if transformer else arguments["path"]
        for name in self._non_cassette_arguments:
            arguments.pop(name, None)
        self._cassette = self.cls.load(**{**arguments, "path": path})
        self._patched = self._patch_generator(self._cassette)
        try:
            return next(self._patched)
        except BaseException:
            self._cassette = self._patched = None
            raise

    def __exit__(self, *error: object) -> None:
        cassette, patched = self._cassette, self._patched
        self._cassette = self._patched = None
        try:
            if cassette is not None and not any(error):
                cassette._save()
        finally:
            if patched is not None:
                next(patched, None)

    def _patch_generator(self, cassette: Any) -> Iterator[Any]:
        try:
            of_stubs = _OF_STUBS[cassette.policy.providers_only]
            with mends.applied as mended:
                yield from patches.applied(cassette, mended, of_stubs)
        finally:
            cassette.close()


def _listed(hooks: Any) -> list[Any]:
    return list(hooks) if isinstance(hooks, list | tuple) else [hooks]


def _of_stubs(client: str | None, *, in_process: bool) -> tuple[tuple[object, str, object], ...]:
    """What is put in place for as long as a cassette is open besides what vcrpy patches: by everybody's stubs, or by those of a client."""
    made = [(importlib.import_module(module), name, ours) for module, name, needs, ours in _MADE_BY_STUBS if needs == client]
    return (*made, *(_originals(client) if in_process and client in ("httpx", "httpx2") else ()))


_OF_STUBS = {in_process: functools.partial(_of_stubs, in_process=in_process) for in_process in (False, True)}
"""The same two each time: a set of patches is used again only with the same."""


def _originals(library: str) -> Iterator[tuple[object, str, Callable[..., Any]]]:
    """The in-process transports' own methods, as vcrpy found them when it was imported."""
    module = importlib.import_module(library)
    patch = importlib.import_module("vcr.patch")
    for transport, method in _IN_PROCESS:
        original = getattr(patch, f"_{library.capitalize()}{transport.replace('SGI', 'sgi')}_{method}", None)
        if original is not None and hasattr(module, transport):
            yield getattr(module, transport), method, original
