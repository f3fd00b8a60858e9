"""A browser for the tests of the page, and pages to open in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_vcr.reporting.page import write
from llm_vcr.reporting.run import read

from tests.chromium import Chromium, Page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with Chromium() as running:
        yield running


Open = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Chromium, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a summary, or a file. At the end, none of the pages may have asked for anything or complained."""
    pages: list[tuple[Page, Path]] = []

    def open_(of: dict[str, Any] | Path, *earlier: dict[str, Any], **look: Any) -> Page:
        file = of if isinstance(of, Path) else tmp_path / f"report-{len(pages)}.html"
        if not isinstance(of, Path):
            write(file, read(json.loads(json.dumps(of))), [read(one) for one in earlier])
        page = chromium.open(file, **look)
        pages.append((page, file))
        return page

    yield open_
    try:
        for page, file in pages:
            page.run("0")  # what it has told is then read
            assert page.console == []
            assert page.requests == [file.resolve().as_uri()]
    finally:
        for page, _ in pages:
            page.close()
