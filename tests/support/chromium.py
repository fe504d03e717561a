"""A headless Chromium, driven through its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp

BINARY = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SECONDS = 40.0


class Chromium:
    """One browser with one tab; an async context manager. ``logged`` is what the browser itself had to say."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._numbers = itertools.count(1)
        self.logged: list[str] = []

    async def __aenter__(self) -> Chromium:
        assert BINARY is not None
        command = [BINARY, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        command += [
            f"--user-data-dir={self._profile}",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "about:blank",
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._session = aiohttp.ClientSession()
        try:
            self._socket = await self._session.ws_connect(await self._tab(), max_msg_size=0)
        except BaseException:
            await self.__aexit__()
            raise
        await self.send("Runtime.enable")
        await self.send("Page.enable")
        await self.send("Log.enable")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._process.terminate()
        self._process.wait(timeout=20)

    async def _tab(self) -> str:
        """The address of the first tab's debugger."""
        noted = self._profile / "DevToolsActivePort"
        end = time.monotonic() + START_SECONDS
        while not noted.exists() or not noted.read_text().strip():
            assert time.monotonic() < end, "Chromium did not start"
            await asyncio.sleep(0.05)
        port = noted.read_text().split()[0]
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            tabs: list[dict[str, Any]] = await answer.json()
        return next(str(tab["webSocketDebuggerUrl"]) for tab in tabs if tab["type"] == "page")

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            found = json.loads((await self._socket.receive()).data)
            if found.get("method") == "Log.entryAdded":
                self.logged.append(found["params"]["entry"]["text"])
            if found.get("id") == number:
                assert "error" not in found, found
                result: dict[str, Any] = found["result"]
                return result

    async def evaluate(self, expression: str) -> Any:
        result = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str, seconds: float = 30.0) -> Any:
        """The expression's value once it is true."""
        end = time.monotonic() + seconds
        while not (value := await self.evaluate(expression)):
            assert time.monotonic() < end, f"never true: {expression}"
            await asyncio.sleep(0.02)
        return value

    async def open(self, address: str) -> None:
        await self.send("Page.navigate", url=address)

    async def resize(self, width: int, height: int, density: float = 1.0, mobile: bool = False) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=density,
            mobile=mobile,
        )

    async def dark(self) -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        await self.send("Emulation.setEmulatedMedia", features=features)

    async def screenshot(self, path: Path) -> None:
        found = await self.send("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))

    async def key(self, key: str, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, **more)

    async def wheel(self, x: int, y: int, delta: int) -> None:
        await self.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=delta)

    async def touch(self, kind: str, *points: tuple[int, int]) -> None:
        shaped = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        await self.send("Input.dispatchTouchEvent", type=kind, touchPoints=shaped)
