"""Every setting, in one frozen dataclass and one table.

A setting called ``ttl`` is ``llm_vcr_ttl`` in ``[tool.pytest.ini_options]``, ``--llm-vcr-ttl`` on the command line, ``LLM_VCR_TTL`` in
the environment and ``ttl=`` in ``@pytest.mark.llm_vcr(...)`` and in Python calls. The table below is the only place that names them.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from llm_vcr.errors import ConfigError

Mode = Literal["auto", "marked", "off"]
RecordMode = Literal["once", "new_episodes", "none", "all", "rewrite"]
Format = Literal["yaml", "json"]
Media = Literal["shrink", "keep"]
Credential = Literal["role", "strict", "ignore"]
RecordHosts = Literal["providers", "all"]
Outage = Literal["miss", "mirror", "fail"]
Stale = Literal["rerecord", "serve"]
Canary = Literal["fail", "warn", "off"]
FailOn = Literal["MISS", "PARTIAL", "OVERFLOW", "LIVE_CALL", "STALE"]

PROVIDER_HOSTS = (
    "api.openai.com",
    "*.openai.azure.com",
    "*.services.ai.azure.com",
    "*.models.ai.azure.com",
    "*.inference.ai.azure.com",
    "models.github.ai",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "*aiplatform.googleapis.com",
    "bedrock-runtime.*.amazonaws.com",
    "bedrock-runtime-fips.*.amazonaws.com",
    "bedrock-agent-runtime.*.amazonaws.com",
    "runtime.sagemaker.*.amazonaws.com",
    "api.mistral.ai",
    "codestral.mistral.ai",
    "api.cohere.com",
    "api.cohere.ai",
    "api.groq.com",
    "api.together.xyz",
    "api.together.ai",
    "api.fireworks.ai",
    "api.deepseek.com",
    "api.x.ai",
    "api.perplexity.ai",
    "openrouter.ai",
    "api-inference.huggingface.co",
    "router.huggingface.co",
    "*.endpoints.huggingface.cloud",
    "api.replicate.com",
    "api.voyageai.com",
    "api.jina.ai",
    "api.ai21.com",
    "api.cerebras.ai",
    "api.sambanova.ai",
    "integrate.api.nvidia.com",
    "api.deepinfra.com",
    "api.elevenlabs.io",
    "api.deepgram.com",
    "api.assemblyai.com",
    "api.stability.ai",
    "api.moonshot.ai",
    "api.moonshot.cn",
    "api.minimax.io",
    "open.bigmodel.cn",
    "api.z.ai",
    "dashscope.aliyuncs.com",
    "dashscope-intl.aliyuncs.com",
    "ark.cn-beijing.volces.com",
    "*.watsonx.ai",
    "*.ml.cloud.ibm.com",
    "*.cloud.databricks.com",
    "gateway.ai.cloudflare.com",
    "ai-gateway.vercel.sh",
)
"""Host patterns of LLM providers: what automatic marking records. ``*`` stands for any characters."""

CREDENTIAL_HOSTS = (
    "accounts.google.com",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "metadata.google.internal",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.microsoft.com",
    "login.windows.net",
    "sts.amazonaws.com",
    "sts.*.amazonaws.com",
    "sts.*.amazonaws.com.cn",
    "sts-fips.*.amazonaws.com",
    "oidc.*.amazonaws.com",
    "portal.sso.*.amazonaws.com",
    "iam.cloud.ibm.com",
    # Instance metadata: AWS, Azure and Google; ECS and EKS; AWS over IPv6.
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::254",
)
"""Host patterns of where credentials are exchanged: OAuth token endpoints, security token services, instance metadata."""

TELEMETRY_HOSTS = (
    "*.langfuse.com",
    "*.arize.com",
    "api.smith.langchain.com",
    "*.api.smith.langchain.com",
    "*.honeycomb.io",
    "otlp.*",
    "otel.*",
    "*.datadoghq.com",
    "*.datadoghq.eu",
    "*.ingest.sentry.io",
    "*.ingest.*.sentry.io",
    "*.posthog.com",
    "api.segment.io",
    "api.mixpanel.com",
    "api.helicone.ai",
    "api.traceloop.com",
    "logfire-*.pydantic.dev",
    "api.braintrust.dev",
    "api.wandb.ai",
    "trace.wandb.ai",
    "www.comet.com",
    "telemetry.crewai.com",
    "api.agentops.ai",
    "api.galileo.ai",
    "log-api.newrelic.com",
)
"""Host patterns of telemetry, which is sent from threads that serve every test."""

PROVIDER_KEYS = (
    "OPENAI_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "AZURE_API_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "MISTRAL_API_KEY",
    "COHERE_API_KEY",
    "CO_API_KEY",
    "GROQ_API_KEY",
    "TOGETHER_API_KEY",
    "FIREWORKS_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "PERPLEXITY_API_KEY",
    "OPENROUTER_API_KEY",
    "HF_TOKEN",
    "REPLICATE_API_TOKEN",
    "VOYAGE_API_KEY",
    "JINA_API_KEY",
    "AI21_API_KEY",
    "CEREBRAS_API_KEY",
    "NVIDIA_API_KEY",
    "ELEVENLABS_API_KEY",
    "DEEPGRAM_API_KEY",
    "ASSEMBLYAI_API_KEY",
)
"""Environment variables that hold the session's own keys: a request with one of them has the role ``session``."""

PLACEHOLDER_KEY = "llm-vcr-placeholder-key"
"""What the plugin puts where an SDK will not construct without a key."""

SUPPLIED_KEYS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "MISTRAL_API_KEY",
    "CO_API_KEY",
    "GROQ_API_KEY",
)
"""Environment variables without which an SDK refuses to construct its client."""

MEDIA_MIN = 64 * 1024
"""Media from this many bytes on is stored as a small file of the same type."""

REPORT_FOLDER = "llm-vcr-report"
"""Where the JSON report of a run stands, below the root."""


# What nobody asks of a dataclass is not generated: every run of pytest imports this module, and half of its time went there.
@dataclass(frozen=True, eq=False, repr=False, match_args=False)
class Settings:
    """Every setting, checked. The defaults are what a user gets who sets nothing."""

    mode: Mode = "off"
    paths: tuple[str, ...] = ()
    record_mode: RecordMode | None = None
    record_hosts: RecordHosts = "providers"
    provider_hosts: tuple[str, ...] = ()
    credential_hosts: tuple[str, ...] = ()
    telemetry_hosts: tuple[str, ...] = ()
    canary: Canary = "fail"
    store: str = "file"
    format: Format = "yaml"
    ttl: float | None = None
    """``None`` is the store's own: files never expire, a shared store's episodes are fresh for a day."""
    stale: Stale = "rerecord"
    max_episodes: int = 50
    project: str | None = None
    prefix: str = "llm-vcr"
    on_outage: Outage | None = None
    mirror: str | None = None
    mirror_size: int = 2**30
    wait: float = 300.0
    media: Media = "shrink"
    ignore: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    credential: Credential = "role"
    placeholder_keys: tuple[str, ...] = ()
    pin_boundary: bool = False
    supply_keys: bool = True
    status: tuple[int, ...] = ()
    skip: tuple[str, ...] = ()
    max_live_calls: int | None = None
    max_live_usd: float | None = None
    fail_on: tuple[FailOn, ...] = ()
    report: str = REPORT_FOLDER

    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each setting that is not a default came from, in the user's words."""

    @property
    def outage(self) -> Outage:
        """What a store that cannot be reached means: who has a mirror wants it used."""
        return self.on_outage or ("mirror" if self.mirror else "miss")

    @property
    def report_page(self) -> str | None:
        """The file of the report for people, where ``report`` names one."""
        return self.report if self.report.lower().endswith((".html", ".htm")) else None

    @property
    def report_folder(self) -> str | None:
        """The folder of the JSON report; a page does not take its place."""
        if self.report == "off":
            return None
        return REPORT_FOLDER if self.report_page else self.report


def _choice(kind: Any) -> Callable[[str], str]:
    options = get_args(kind)

    def parse(text: str) -> str:
        if text not in options:
            raise ValueError(f"one of {', '.join(options)}" + nearest(text, options))
        return text

    return parse


def nearest(word: str, known: tuple[str, ...]) -> str:
    """A question that names the known word nearest to a misspelt one, or nothing where none is near."""
    import difflib

    near = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _mode(text: str) -> str:
    # An ini file may say `llm_vcr = true`, and the flag may stand alone.
    return {"": "auto", "true": "auto", "on": "auto", "false": "off"}.get(text.lower()) or _choice(Mode)(text)


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _duration(text: str) -> float:
    expected = "a positive duration such as 3600, 90m, 24h, 7d, or inf"
    if text.strip().lower() in ("inf", "never"):
        return math.inf
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", text)
    if not found or float(found[1]) <= 0:
        raise ValueError(expected)
    return float(found[1]) * _UNITS[found[2]]


def lifetime(text: str) -> float:
    """A number of seconds as LiteLLM's ``CASSETTE_TTL_SECONDS`` and ``cassette_ttl`` have it: 0, less, and ``inf`` are for ever.

    Raises:
        ValueError: saying what was expected.
    """
    if text.strip().lower() == "inf":
        return math.inf
    if not re.fullmatch(r"\s*-?\d+\s*", text):
        raise ValueError("a whole number of seconds; 0, less, and inf never expire")
    return float(text) if int(text) > 0 else math.inf


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,8}", text.strip()):
        raise ValueError("a whole number from 1 on")
    return int(text)


_BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def _size(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+)\s*([kmg]?)i?b?\s*", text.lower())
    if not found or int(found[1]) == 0:
        raise ValueError("a size such as 500M or 2G")
    return int(found[1]) * _BYTES[found[2]]


def _name(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("a name of printable characters")
    return text


def _boolean(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in known:
        raise ValueError("true or false")
    return known[text.lower()]


def _store(text: str) -> str:
    scheme = text.partition(":")[0]
    known = ("file", "redis", "rediss", "unix", "redis+cluster", "redis+sentinel")
    if scheme not in known:
        raise ValueError(f"a store: file, file:DIR, or a URL with the scheme {', '.join(known[1:])}" + nearest(scheme, known))
    if scheme.startswith("redis") and not _url_host(text):
        raise ValueError(f"a URL with a host, such as {scheme}://localhost:6379/0")
    return text


def _url_host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # half an IPv6 address
        return None


def _path(text: str) -> str:
    from llm_vcr import _core

    try:
        _core.Rules(ignore=[text])
    except ValueError as error:
        raise ValueError(f"JSON paths such as metadata.trace_id or messages[*].id ({error})") from None
    return text


def _pattern(text: str) -> str:
    from llm_vcr import _core

    try:
        _core.Rules(mask=[text])
    except ValueError as error:
        raise ValueError(f"regular expressions of Rust's regex crate, without look-around ({error})") from None
    return text


def _host(text: str) -> str:
    if not re.fullmatch(r"[^/\s:]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", text):
        raise ValueError("host names without scheme, port or path, where * stands for any characters")
    return text.lower()


def _status(text: str) -> int:
    if not re.fullmatch(r"[1-5]\d\d", text):
        raise ValueError("HTTP status codes such as 401")
    return int(text)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a number of calls, 0 or more")
    return int(text)


def _dollars(text: str) -> float:
    if not re.fullmatch(r"\$?\s*(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,2})?", text.strip().lower()):
        raise ValueError("an amount of dollars such as 0.50, 0 or more")
    return float(text.strip().removeprefix("$"))


@dataclass(eq=False, repr=False, match_args=False)
class Setting:
    """One row of the table: how a setting is read from text, and what it is for."""

    name: str
    parse: Callable[[str], Any]
    help: str
    many: bool = False
    also: str = ""
    """A second name in the environment, behind the first."""
    parse_also: Callable[[str], Any] | None = None
    """How a value under that name is read, where it means something else there."""
    lines: bool = False
    """Several stand on lines of their own: a comma is part of a value."""
    whole_run: bool = False
    """It cannot differ from test to test, so a marker cannot set it."""

    @property
    def ini(self) -> str:
        """Its key in ``[tool.pytest.ini_options]``."""
        return "llm_vcr" if self.name == "mode" else f"llm_vcr_{self.name}"

    @property
    def flag(self) -> str:
        """Its option on pytest's command line."""
        return "--" + self.ini.replace("_", "-")

    @property
    def env(self) -> str:
        """Its name in the environment."""
        return self.ini.upper()

    def read(self, where: str, value: object) -> Any:
        """The checked value of what stands at ``where``: text, a list of texts, or a Python value of a marker or call.

        Raises:
            ConfigError: naming ``where``, the value and what was expected.
        """
        items = self._items(value) if self.many else [value]
        try:
            parsed = [self.parse(_text(item)) for item in items]
        except ValueError as error:
            raise ConfigError(where, _without_password(value), str(error)) from None
        return tuple(parsed) if self.many else parsed[0]

    def _items(self, value: object) -> list[object]:
        if isinstance(value, str):
            return [part.strip() for part in re.split("\n" if self.lines or "\n" in value else ",", value) if part.strip()]
        return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _without_password(value: object) -> object:
    from llm_vcr import _core

    # It may be a URL with a mistake in it, which is none to the core.
    return re.sub(r"//[^/@]*@", "//REDACTED@", _core.redact_uri(value)) if isinstance(value, str) else value


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return str(value).lower() if isinstance(value, bool) else str(value)


TABLE: Mapping[str, Setting] = {
    row.name: row
    for row in (
        Setting("mode", _mode, "which tests get a cassette: auto (every one), marked, or off (the default)", whole_run=True),
        Setting("paths", str, "with auto: only tests below these paths", many=True, whole_run=True),
        Setting(
            "record_mode", _choice(RecordMode), "vcrpy's record mode; new_episodes by default, none where CI is set and the store is files"
        ),
        Setting("record_hosts", _choice(RecordHosts), "what automatic marking records: providers (the default) or all"),
        Setting("provider_hosts", _host, "hosts that count as LLM providers beside the built-in table", many=True),
        Setting("credential_hosts", _host, "hosts, beside the built-in table, whose calls run live and are never kept", many=True),
        Setting("telemetry_hosts", _host, "hosts of telemetry beside the built-in table: a thread of no test reaches them live", many=True),
        Setting(
            "canary",
            _choice(Canary),
            "an HTTP client whose calls would go around the cassette: fail (the run stops, the default), warn or off",
            whole_run=True,
        ),
        Setting(
            "store",
            _store,
            "where cassettes live: file (beside the tests, the default), file:DIR, or a Redis URL; also CASSETTE_REDIS_URL",
            # Never REDIS_URL: that is the application's own, and its tests flush it.
            also="CASSETTE_REDIS_URL",
            whole_run=True,
        ),
        Setting("format", _choice(Format), "how cassette files are written: yaml (vcrpy's, the default) or json; either is read"),
        Setting(
            "ttl",
            _duration,
            "how long an episode is fresh: 24h in Redis by default, inf in files; also CASSETTE_TTL_SECONDS",
            also="CASSETTE_TTL_SECONDS",
            parse_also=lifetime,
        ),
        Setting("stale", _choice(Stale), "an episode older than that: rerecord (the default) or serve, told as HIT:STALE"),
        Setting("max_episodes", _count, "how many episodes a cassette may have (50)"),
        Setting("project", _name, "part of every key in Redis; the name in pyproject.toml by default", whole_run=True),
        Setting("prefix", _name, "what every key in Redis begins with (llm-vcr)", whole_run=True),
        Setting(
            "on_outage",
            _choice(Outage),
            "a store that cannot be reached: miss (calls go live), mirror (the default where there is one), or fail",
        ),
        Setting("mirror", _name, "a folder with a copy of what was read from Redis, and what it did not take", whole_run=True),
        Setting("mirror_size", _size, "how large the mirror may become (1G)", whole_run=True),
        Setting("wait", _duration, "how long to wait for another process that records the same cassette (5m)"),
        Setting("media", _choice(Media), "media of 64 KiB and more: shrink (a small file of the same type, the default) or keep"),
        Setting("ignore", _path, "JSON paths that do not count when bodies are compared", many=True),
        Setting("mask", _pattern, "patterns that are masked when there is no exact match, beside uuids and times", many=True, lines=True),
        Setting("credential", _choice(Credential), "how the API key counts: role (the default), strict or ignore"),
        Setting("placeholder_keys", str, "API keys that count as the session's own", many=True),
        Setting("pin_boundary", _boolean, "let httpx and httpx2 send one fixed multipart boundary", whole_run=True),
        Setting("supply_keys", _boolean, "put placeholder keys into the environment so that SDKs construct without one", whole_run=True),
        Setting("status", _status, "HTTP status codes whose answers are kept beside 2xx", many=True),
        Setting("skip", str, "with auto: tests, modules, folders or patterns of test ids to leave alone", many=True, whole_run=True),
        Setting("max_live_calls", _number, "calls the whole run may make; more are refused, and the run fails", whole_run=True),
        Setting(
            "max_live_usd",
            _dollars,
            "dollars the whole run may spend; once they are spent, every further call is refused, and the run fails",
            whole_run=True,
        ),
        Setting(
            "fail_on",
            lambda text: _choice(FailOn)(text.upper()),
            "verdicts that fail the run: MISS, PARTIAL, OVERFLOW, LIVE_CALL, STALE",
            many=True,
            whole_run=True,
        ),
        Setting(
            "report",
            _name,
            "folder of the JSON report below the root (llm-vcr-report); a name in .html is a page beside that folder; or off",
            whole_run=True,
        ),
    )
}

# Names in our part of the environment that are no settings: the switch that turns everything off, and two of another package.
_OTHER_NAMES = ("LLM_VCR_DISABLE", "LLM_VCR_RECORD", "LLM_VCR_CASSETTE_DIR")


def read(
    *,
    ini: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """The settings from what the user wrote; a flag wins over the environment, the environment over the ini file.

    ``ini`` and ``flags`` hold only what is set, by the names of the table.

    Raises:
        ConfigError: for an unknown name and for a value that cannot be.
    """
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    environment = os.environ if env is None else env
    in_env = {row.name: environment[row.env] for row in TABLE.values() if environment.get(row.env)}
    spelt = {row.name: row.also for row in TABLE.values() if row.also and row.name not in in_env and environment.get(row.also)}
    in_env |= {name: environment[also] for name, also in spelt.items()}
    for source, values in ((Setting.ini, ini or {}), (Setting.env, in_env), (Setting.flag, flags or {})):
        for name, value in values.items():
            row = lookup(name)
            where = str(source.fget(row))  # type: ignore[attr-defined]  # the property itself: how this source spells a setting
            if source is Setting.env and name in spelt:
                where = spelt[name]
                row = replace(row, parse=row.parse_also or row.parse)
            found[name] = row.read(where, value)
            sources[name] = where
    _reject_misspelt(environment)
    return Settings(**found, sources=sources)


def _reject_misspelt(environment: Mapping[str, str]) -> None:
    known = tuple(row.env for row in TABLE.values()) + _OTHER_NAMES
    for name, value in environment.items():
        if not name.startswith("LLM_VCR_") or name in known:
            continue
        import difflib

        row = TABLE.get(name.removeprefix("LLM_VCR_").lower())
        if near := [row.env] if row else difflib.get_close_matches(name, known, 1, 0.85):
            raise ConfigError(name, _without_password(value), f"no such setting; did you mean {near[0]}?")


def lookup(name: str, where: str | None = None) -> Setting:
    """The row of the table called ``name``.

    Raises:
        ConfigError: where there is none, with the nearest name.
    """
    if name not in TABLE:
        raise ConfigError(where or f"llm_vcr_{name}", "", f"a known setting, one of {', '.join(TABLE)}" + nearest(name, tuple(TABLE)))
    return TABLE[name]


def override(settings: Settings, where: str, **values: object) -> Settings:
    """The settings with some of them replaced, checked like any other.

    Raises:
        ConfigError: naming ``where`` and the setting.
    """
    if not values:
        return settings
    checked = {name: lookup(name, f"{where}({name}=…)").read(f"{where}({name}=…)", value) for name, value in values.items()}
    return replace(settings, **checked, sources={**settings.sources, **dict.fromkeys(checked, where)})


def disabled(env: Mapping[str, str] | None = None) -> bool:
    """Whether ``LLM_VCR_DISABLE`` turns everything off, whatever else is set."""
    value = (os.environ if env is None else env).get("LLM_VCR_DISABLE", "")
    return value.strip().lower() not in ("", "0", "false", "no", "off")
