"""A headless Chromium without any network, spoken to over two pipes by its DevTools protocol."""

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_PATIENCE = 60.0  # seconds
# Names are not resolved, and what is asked for by address goes to a proxy that nobody runs.
_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=127.0.0.1:9",
]


class Browser:
    """One page of one Chromium. `messages` holds what its console said, `requests` what it asked for."""

    def __init__(self, profile):
        read, self._commands = os.pipe()
        self._answers, write = os.pipe()
        # Chromium reads from 3 and writes to 4; the copies above 9 are in nobody's way.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read, write)]
        self._process = subprocess.Popen(
            [CHROMIUM, *_ARGUMENTS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(3, 4),
            preexec_fn=lambda: (os.dup2(theirs[0], 3), os.dup2(theirs[1], 4)),
            stderr=subprocess.DEVNULL,
        )
        for end in (read, write, *theirs):
            os.close(end)
        self._numbers, self._buffer, self._session = itertools.count(1), b"", None
        self.messages, self.requests, self._loaded = [], [], False
        target = next(info for info in self.call("Target.getTargets")["targetInfos"] if info["type"] == "page")[
            "targetId"
        ]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self._send("Browser.close", {}, None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def open(self, path, width=1280, height=900, *, dark=False, paper=False, script=True):
        """Load the file `path` into a window of `width` x `height` pixels."""
        self.messages, self.requests, self._loaded = [], [], False
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._until(lambda: self._loaded)

    def resize(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def value(self, expression):
        """Return what a JavaScript expression comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key):
        """Press and release a key, such as "Tab", "Enter" or " "."""
        text = {"Enter": "\r", " ": " "}.get(key)
        code = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39}[key]
        shared = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **shared, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **shared)

    def picture(self, **settings):
        """Return a PNG of what the window shows."""
        return base64.b64decode(self.call("Page.captureScreenshot", **settings)["data"])

    def call(self, method, **parameters):
        number = self._send(method, parameters, self._session)
        answers = {}

        def answered():
            return number in answers

        self._until(answered, answers)
        answer = answers[number]
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _send(self, method, parameters, session):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        return number

    def _until(self, is_done, answers=None):
        end = time.monotonic() + _PATIENCE
        while not is_done():
            ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            some = os.read(self._answers, 1 << 20)
            assert some, "Chromium has ended"
            *messages, self._buffer = (self._buffer + some).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message and answers is not None:
                    answers[message["id"]] = message
                self._note(message)

    def _note(self, message):
        match message:
            case {"method": "Page.loadEventFired"}:
                self._loaded = True
            case {"method": "Runtime.consoleAPICalled", "params": {"type": kind, "args": arguments}}:
                self.messages.append((kind, *(argument.get("value") for argument in arguments)))
            case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                self.messages.append(("exception", details["text"]))
            case {"method": "Log.entryAdded", "params": {"entry": entry}}:
                self.messages.append((entry["level"], entry["text"]))
            case {"method": "Network.requestWillBeSent", "params": {"request": {"url": url}}}:
                self.requests.append(url)
