"""Drives a real headless Chromium through its DevTools protocol: real clicks, real keys, its own accessibility tree."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
_PATIENCE: Final = 60.0
_AT_WORK: Final = ".htmx-request, .htmx-swapping, .htmx-settling"
_KEYS: Final = {
    "Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Space": {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32, "text": " "},
}


class Page:
    """One tab. Commands go through a pipe; what they answer comes back before the next one is sent."""

    def __init__(self, to: int, answers: int) -> None:
        self._to, self._answers = to, os.fdopen(answers, "rb", buffering=0)
        self._waiting = b""
        self._last = 0
        self._session = ""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.command("Page.enable")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        told = {"id": self._last, "method": method, "params": parameters}
        if self._session and not method.startswith("Browser."):
            told["sessionId"] = self._session
        os.write(self._to, json.dumps(told).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def close(self) -> None:
        self.command("Browser.close")
        self._answers.close()
        os.close(self._to)

    def open(self, address: str) -> None:
        self.command("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, script: str) -> Any:
        told = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until a condition (JavaScript) holds, and what htmx changed is wired.

        A form that was swapped in a moment ago is still a plain one, and would load the page anew.
        """
        end = time.monotonic() + _PATIENCE
        while not self.value(f"Boolean({condition}) && !document.querySelector({json.dumps(_AT_WORK)})"):
            assert time.monotonic() < end, f"waited in vain until {condition}: {self.text()}"
            time.sleep(0.05)

    def text(self) -> str:
        return str(self.value("document.body.innerText"))

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of what the selector finds first."""
        place = self.value(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            " one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )

    def press(self, key: str, *, times: int = 1, shift: bool = False) -> None:
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                told = {**_KEYS[key], "modifiers": 8 * shift}
                if kind == "keyUp":
                    told.pop("text", None)
                self.command("Input.dispatchKeyEvent", type=kind, **told)

    def looks(self, *, width: int = 1000, height: int = 900, dark: bool = False) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def shot(self, path: Path) -> None:
        """A picture of the whole page."""
        told = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def spoken(self) -> list[tuple[str, str]]:
        """Role and name of everything that a screen reader is told, in order; blanks around a name are not heard."""
        nodes = self.command("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "").strip())
            for node in nodes
            if not node["ignored"]
        ]

    def focused(self) -> str:
        """The focused element: its name for a screen reader, or its id."""
        script = "(e => e.getAttribute('aria-label') || e.innerText || e.id || e.name || e.tagName)"
        return str(self.value(f"{script}(document.activeElement)")).strip()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            more = self._answers.read(65_536)
            assert more, "Chromium is gone"
            self._waiting += more
        first, _, self._waiting = self._waiting.partition(b"\0")
        return dict(json.loads(first))


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser of its own, without anybody's profile; gone afterwards."""
    theirs, ours = os.pipe()
    answers, told = os.pipe()
    options = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *(
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
            f"--user-data-dir={folder}",
        ),
    )
    process = subprocess.Popen(
        # Chromium reads commands from descriptor 3 and answers on 4.
        ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{told}', "bash", str(CHROMIUM), *options],
        pass_fds=(theirs, told),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.close(told)
    try:
        page = Page(ours, answers)
        yield page
        page.close()
    finally:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
