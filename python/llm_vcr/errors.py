"""Everything that can be raised or warned, in one tree.

Exception
└── LlmVcrError
    ├── ConfigError            a setting that cannot be
    ├── UnsupportedBodyError   a request body of a type nobody knows how to read
    ├── CassetteFileError      a cassette that cannot be read; it is never overwritten
    ├── LiveCallRefusedError   a live call that was not made, as the run's limit is used up
    ├── StoreUnavailableError  a shared store that cannot be reached, or refuses
    └── ReportFileError        a run's summary that cannot be read
UserWarning
└── LlmVcrWarning
    ├── ConsumedBodyWarning    a file object at its end: an empty body is about to be sent
    ├── NotSavedWarning        a recording that could not be stored
    └── StoreWarning           a shared store that cannot be reached, or with something in it that cannot be read
"""

from __future__ import annotations


class LlmVcrError(Exception):
    """Anything that llm_vcr raises on purpose."""


class ConfigError(LlmVcrError, ValueError):
    """A setting that cannot be: the message names it, its value and what was expected."""

    def __init__(self, setting: str, value: object, expected: str) -> None:
        """Say that ``setting`` has ``value``, and what was ``expected``."""
        super().__init__(setting, value, expected)
        self.setting = setting
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.setting} = {self.value!r}: expected {self.expected}"


class UnsupportedBodyError(LlmVcrError, TypeError):
    """A request body of a type that cannot be turned into bytes."""


class CassetteFileError(LlmVcrError):
    """A cassette that exists and cannot be read: the message names the file, the line and the mend."""

    def __init__(self, path: str, line: int | None, problem: str) -> None:
        """Say that the cassette at ``path`` has a ``problem``, noticed at ``line`` (from 1)."""
        super().__init__(path, line, problem)
        self.path = path
        self.line = line
        self.problem = problem

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}, line {self.line}"
        return f"{place}: {self.problem}. The file was left as it is: mend it, or delete it and record it again."


class StoreUnavailableError(LlmVcrError):
    """A shared store that cannot be reached, or refuses: the message names it, without its password, and says why."""

    def __init__(self, store: str, reason: str) -> None:
        """Say that the ``store`` at this URL cannot be used, and for what ``reason``."""
        super().__init__(store, reason)
        self.store = store
        self.reason = reason

    def __str__(self) -> str:
        return f"the store {self.store} cannot be used: {self.reason}"


class ReportFileError(LlmVcrError):
    """The summary of a run that cannot be read: the message names the file, and says why."""

    def __init__(self, path: str, problem: str) -> None:
        """Say that the summary at ``path`` has a ``problem``."""
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; expected the summary.json of a run, as it stands in the folder llm-vcr-report"


class LiveCallRefusedError(LlmVcrError, ConnectionError):
    """A call that was not made, as the run may make no more of them; clients take it for a host that cannot be reached."""


class LlmVcrWarning(UserWarning):
    """Anything that llm_vcr warns of."""


class ConsumedBodyWarning(LlmVcrWarning):
    """A file object was already at its end, so the request it is the body of is about to be sent empty."""


class NotSavedWarning(LlmVcrWarning):
    """A recording could not be stored; the test itself is not affected."""


class StoreWarning(LlmVcrWarning):
    """The shared store cannot be reached, or something in it cannot be read: calls go live that it might have answered."""


class SecretWarning(LlmVcrWarning):
    """A secret was about to be stored: the message says where it stood and of what kind it is, never what it is."""
