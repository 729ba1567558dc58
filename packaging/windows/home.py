"""A home of its own on the Windows machine of `machine.sh`, and the real Windows programs in it.

Programs are started through `wine-run` and ended by their pid. It must never print, and never look for a process by name.
Everything that is waited for has a limit; one that is passed is an error.
"""

import json
import os
import pathlib
import queue
import subprocess
import tempfile
import threading
import time

START_SECONDS_MAX = 60
CALL_SECONDS_MAX = 60
# Turns through Wine are slow, and so may the machine be.
TURN_SECONDS_MAX = 180


def windows(path):
    """The name that Windows programs know a path by."""
    path = pathlib.Path(path).resolve()
    drive_c = pathlib.Path(os.environ["WINEPREFIX"]).resolve() / "drive_c"
    if path.is_relative_to(drive_c):
        return "C:\\" + str(path.relative_to(drive_c)).replace("/", "\\")
    return "Z:" + str(path).replace("/", "\\")


class Home:
    def __init__(self, programs, codex, link="auto"):
        self.programs = pathlib.Path(programs)
        drive_c = pathlib.Path(os.environ["WINEPREFIX"]) / "drive_c"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="codexcp-", dir=drive_c))
        self.home, self.codex_home, self.project = self.folder / "home", self.folder / "codex", self.folder / "projects" / "shop"
        for folder in (self.home, self.codex_home, self.project):
            folder.mkdir(parents=True)
        (self.home / "config.toml").write_text(f"allowed_roots = ['{windows(self.folder / 'projects')}']\n", encoding="utf-8")
        self.environment = {
            **os.environ,
            "CODEXCP_HOME": windows(self.home),
            "CODEX_HOME": windows(self.codex_home),
            "CODEX_BINARY_PATH": windows(codex),
            "CODEXCP_APP_SERVER_LINK": link,
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """What still runs is ended by `wine-stop` at the end of the machine; this asks the daemon of this home first."""
        self.codexcp("daemon", "stop", "--all", check=False)

    def start(self, program, *arguments, **streams):
        """Starts one of our programs; the process on this side is the one on the other."""
        command = ["wine-run", str(self.programs / f"{program}.exe"), *arguments]
        return subprocess.Popen(command, env=self.environment, text=True, encoding="utf-8", **streams)

    def codexcp(self, *arguments, check=True):
        """The command for people, to its end."""
        command = ["wine-run", str(self.programs / "codexcp.exe"), *arguments]
        ran = subprocess.run(
            command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8",
            timeout=CALL_SECONDS_MAX, check=False,
        )
        if check and ran.returncode != 0:
            raise RuntimeError(f"codexcp {' '.join(arguments)}: exit {ran.returncode}: {ran.stdout}{ran.stderr}")
        return ran

    def daemon_pid(self):
        """Starts one where there is none."""
        return json.loads(self.codexcp("daemon", "start", "--json").stdout)["pid"]

    def kill(self, pid):
        """Without asking the process: what TerminateProcess does."""
        command = ["wine-run", "taskkill", "/F", "/PID", str(pid)]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CALL_SECONDS_MAX, check=False)
        if ran.returncode != 0:
            raise RuntimeError(f"could not end the process {pid}: {ran.stdout}{ran.stderr}")

    def nothing_left(self):
        """Waits until none of the programs under test runs on this machine any more."""
        until = time.monotonic() + CALL_SECONDS_MAX
        while left := machine_processes():
            if time.monotonic() > until:
                raise RuntimeError(f"still running: {left}")
            # Nobody announces the end of a process that is not a child.
            time.sleep(0.1)


def machine_processes():
    """The command lines on this Windows machine, without those of Windows itself."""
    ours = b"WINEPREFIX=" + os.environ["WINEPREFIX"].encode()
    left = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if ours not in (process / "environ").read_bytes().split(b"\0"):
                continue
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it ended meanwhile
            continue
        if ".exe" in words[0].lower() and not words[0].lower().startswith("c:\\windows\\"):
            left.append(" ".join(words).strip())
    return left


class Lines:
    """The lines of a stream as they come."""

    def __init__(self, stream):
        self.arrived = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        for line in stream:
            self.arrived.put(line.strip())
        self.arrived.put(None)

    def next(self, seconds_max):
        try:
            line = self.arrived.get(timeout=seconds_max)
        except queue.Empty:
            raise TimeoutError(f"no line within {seconds_max} s") from None
        if line is None:
            raise RuntimeError("the program ended")
        return line


class Shim:
    """An MCP client over the real shim."""

    def __init__(self, home):
        self.log = open(home.folder / "shim.stderr", "a", encoding="utf-8")
        self.process = home.start("codex-control-plane-mcp", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.lines = Lines(self.process.stdout)
        self.others = {}
        self.last = 0

    def __enter__(self):
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "windows gate", "version": "1"}}
        self.welcome = self.request("initialize", hello)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(CALL_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.log.close()

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        """Sends a request and does not wait; the number of it."""
        self.last += 1
        self.send({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params})
        return self.last

    def answer_to(self, number, seconds_max=CALL_SECONDS_MAX):
        while number not in self.others:
            message = json.loads(self.lines.next(seconds_max))
            self.others[message.get("id")] = message
        answer = self.others.pop(number)
        if "result" not in answer:
            raise RuntimeError(f"refused: {answer}")
        return answer["result"]

    def request(self, method, params):
        return self.answer_to(self.ask(method, params), START_SECONDS_MAX)

    def tool(self, name, **arguments):
        """The payload of a call that must succeed."""
        payload = self.request("tools/call", {"name": name, "arguments": arguments})["structuredContent"]
        if payload.get("ok") is not True:
            raise RuntimeError(f"{name}: {payload}")
        return payload
