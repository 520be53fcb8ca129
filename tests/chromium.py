"""A headless Chromium, driven over its own debugging pipe; nothing but the standard library."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = shutil.which("chromium")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--remote-debugging-pipe", "--window-size=1500,900", "--no-first-run",
)  # fmt: skip
SECONDS = 30


class Chromium:
    """One tab: opens a page, runs scripts in it, moves the mouse, keeps what was logged."""

    def __init__(self):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        command = [PROGRAM, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"]
        # Chromium reads its orders from descriptor 3 and answers on 4.
        shell = f'exec 3<&{to_child} 4>&{from_child}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command],
            pass_fds=(to_child, from_child),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._ids, self._buffer, self._session = itertools.count(1), b"", None
        self.errors, self.requests = [], []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in targets if each["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        self._process.terminate()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def open(self, path):
        """Load a file and wait until bokeh has drawn it."""
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        ready = "window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents[0].is_idle"
        self.wait(ready)
        # What was laid out last is drawn, and takes the mouse, two frames later.
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, script):
        """Return the value of an expression."""
        how = {"returnByValue": True, "awaitPromise": True}
        found = self.call("Runtime.evaluate", expression=script, **how)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def wait(self, script, seconds=SECONDS):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({script})"):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)

    def drag(self, *points):
        """Press at the first place, move through the others and let go."""
        self.move(*points[0])
        self._mouse("mousePressed", *points[0])
        for point in points[1:]:
            self._mouse("mouseMoved", *point)
            time.sleep(0.02)
        self._mouse("mouseReleased", *points[-1])

    def click(self, x, y):
        self.drag((x, y))

    def move(self, x, y):
        self._mouse("mouseMoved", x, y, button="none")

    def scroll(self, x, y, delta):
        """Turn the wheel, upwards where ``delta`` is below zero."""
        place = {"x": float(x), "y": float(y), "deltaX": 0, "deltaY": delta}
        self.call("Input.dispatchMouseEvent", type="mouseWheel", **place)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot")["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def _mouse(self, kind, x, y, button="left"):
        buttons = 0 if kind == "mouseReleased" or button == "none" else 1
        place = {"x": float(x), "y": float(y), "button": button, "buttons": buttons}
        self.call("Input.dispatchMouseEvent", type=kind, clickCount=1, **place)

    def call(self, method, **params):
        """Send an order and return its answer."""
        number = next(self._ids)
        order = {"id": number, "method": method, "params": params}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._write, json.dumps(order).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _next(self):
        while b"\0" not in self._buffer:
            part = os.read(self._read, 2**20)
            assert part, "chromium ended"
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def _note(self, message):
        """Keep errors of the console, and addresses that were asked for."""
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append([each.get("value") for each in params["args"]])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
