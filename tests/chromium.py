"""A real Chromium without a window, driven over its DevTools protocol; it tells every request and everything on its console."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from tests.debian import find_program

_PATIENCE = 60.0
"""So many seconds for an answer: a loaded machine is slow, and a browser that hangs must not hang the tests."""


class Chromium:
    """The browser. Starts when made, ends with the ``with`` block."""

    def __init__(self) -> None:
        program = find_program("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", package="chromium")
        self._folder = tempfile.mkdtemp(prefix="llm-vcr-chromium-")
        self._process = subprocess.Popen(
            [
                program,
                *("--headless=new", "--remote-debugging-port=0", f"--user-data-dir={self._folder}", "--no-first-run", "--disable-gpu"),
                # Root has no sandbox, nor has a container; all it opens are files of ours.
                *("--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"),
                *("--disable-extensions", "--disable-sync", "--metrics-recording-only", "--force-color-profile=srgb", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": self._folder},
        )
        try:
            self._address = self._announced()
        except BaseException:
            self.stop()
            raise

    def _announced(self) -> str:
        """Where it listens, as it says itself: nobody has to choose a port."""
        file = Path(self._folder) / "DevToolsActivePort"
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            if self._process.poll() is not None:
                raise RuntimeError(f"chromium ended at once, with status {self._process.returncode}")
            time.sleep(0.05)
        raise RuntimeError("chromium did not start in time")

    def open(self, file: Path, *, width: int = 1200, height: int = 900, dark: bool = False, touch: bool = False, scale: float = 1) -> Page:
        """A page of its own with this file in it, loaded."""
        page = Page(self._address)
        page.resize(width, height, touch=touch, scale=scale)
        page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        page.go(file)
        return page

    def stop(self) -> None:
        """End this very process, and remove its folder; twice is once."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class Page:
    """A tab. ``requests`` are the URLs it asked for, ``console`` what its console was told, exceptions and broken policies too."""

    def __init__(self, address: str) -> None:
        self._end = contextlib.ExitStack()
        self._socket: ClientConnection = self._end.enter_context(connect(address, max_size=None, proxy=None))
        self._number = 0
        self._session: str | None = None
        self._loaded = False
        self.requests: list[str] = []
        self.console: list[str] = []
        self._target = self.send("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Performance.enable", timeDomain="threadTicks")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            told = self._next()
            if told.get("id") == number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                result: dict[str, Any] = told["result"]
                return result

    def _next(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._socket.recv(timeout=_PATIENCE))
        parameters = told.get("params", {})
        match told.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Runtime.exceptionThrown":
                self.console.append(json.dumps(parameters["exceptionDetails"])[:2000])
            case "Runtime.consoleAPICalled":
                self.console.append(json.dumps(parameters["args"])[:2000])
            case "Log.entryAdded":
                self.console.append(json.dumps(parameters["entry"])[:2000])
        return told

    def go(self, file: Path) -> None:
        """Open a file, and wait until it is loaded."""
        self._loaded = False
        self.send("Page.navigate", url=file.resolve().as_uri())
        while not self._loaded:
            self._next()
        self.settle()

    def resize(self, width: int, height: int, *, touch: bool = False, scale: float = 1) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=touch)

    def run(self, script: str) -> Any:
        """The value of an expression, awaited where it is a promise."""
        told = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise AssertionError(f"{script}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def click(self, selector: str) -> None:
        """A real click in the middle of the first element that fits; one that something else covers gets none."""
        quoted = json.dumps(selector)
        self.run(f"document.querySelector({quoted}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
        self.settle()
        x, y, hit = self.run(
            f"(() => {{ const it = document.querySelector({quoted}), box = it.getBoundingClientRect();"
            "const x = box.x + Math.min(box.width / 2, 20), y = box.y + box.height / 2, there = document.elementFromPoint(x, y);"
            "return [x, y, there !== null && (it.contains(there) || there.contains(it))]; })()"
        )
        assert hit, f"{selector} is covered"
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.send("Input.insertText", text=text)
        self.settle()

    def press(self, key: str, code: int) -> None:
        """A key, by its name and its code in Windows."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)
        self.settle()

    def wheel(self, distance: int) -> None:
        """Scroll by so many pixels, at once."""
        self.run(f"window.scrollBy({{top: {distance}, behavior: 'instant'}})")
        self.settle()

    def cost(self) -> float:
        """Milliseconds that the page's own thread has worked so far, whatever else the machine did meanwhile."""
        metrics = {one["name"]: one["value"] for one in self.send("Performance.getMetrics")["metrics"]}
        return 1000 * float(metrics["TaskDuration"])

    def picture(self, *, height: int | None = None) -> bytes:
        """A PNG of what is in sight, or of the page's first ``height`` pixels."""
        clip = {}
        if height is not None:
            clip = {"clip": {"x": 0, "y": 0, "width": self.run("innerWidth"), "height": height, "scale": 1}, "captureBeyondViewport": True}
        return base64.b64decode(self.send("Page.captureScreenshot", format="png", **clip)["data"])

    def close(self) -> None:
        with self._end:
            self.send("Page.close")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
