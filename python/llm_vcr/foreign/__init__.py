"""What other tools wrote, as episodes of ours. One file a tool, with `is_one` and `read`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import yaml

from llm_vcr.errors import CassetteFileError
from llm_vcr.foreign import cassetter, llm_mock, pytest_llm_vcr, vcrpy
from llm_vcr.foreign.found import Found


class Format(NamedTuple):
    """A tool's way to write recordings."""

    is_one: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any], str, str], Found]
    """From what stands in a file, its path, and its text."""


# The stranger ones first: what is left is vcrpy's.
FORMATS: Mapping[str, Format] = {
    "llm-mock": Format(llm_mock.is_one, llm_mock.read),
    "pytest-llm-vcr": Format(pytest_llm_vcr.is_one, pytest_llm_vcr.read),
    "cassetter": Format(cassetter.is_one, cassetter.read),
    "vcrpy": Format(vcrpy.is_one, vcrpy.read),
}


def read(data: bytes, path: str) -> tuple[str, Found]:
    """The name of the format of a file, and the recordings in it.

    Raises:
        CassetteFileError: where the file is of none of the formats, or broken.
    """
    from llm_vcr.foreign.rescue import Loader

    try:
        text = data.decode("utf-8-sig")
        if not text.strip():
            raise CassetteFileError(path, 1, "the file is empty")
        tree = json.loads(text) if text.lstrip()[:1] in "{[" else yaml.load(text, Loader=Loader)  # noqa: S506 - a safe one
    except UnicodeDecodeError as error:
        raise CassetteFileError(path, data.count(b"\n", 0, error.start) + 1, "the file is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise CassetteFileError(path, error.lineno, f"this is no valid JSON: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise CassetteFileError(path, line, f"this is no valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:  # a byte that YAML does not have
        raise CassetteFileError(path, None, f"this is no valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise CassetteFileError(path, None, "it is nested too deep") from error
    except ValueError as error:  # a number or a date that cannot be
        raise CassetteFileError(path, None, f"a value in it cannot be read: {error}") from error
    if isinstance(tree, Mapping) and isinstance(tree.get("interactions"), list):
        for name, one in FORMATS.items():
            if one.is_one(tree):
                try:
                    return name, one.read(tree, path, text)
                except (AttributeError, TypeError, ValueError, LookupError, ArithmeticError) as error:
                    raise CassetteFileError(path, None, f"it is not what {name} writes: {error}") from error
    raise CassetteFileError(path, 1, f"this is no recording of {', '.join(FORMATS)}: expected a list of `interactions`")
