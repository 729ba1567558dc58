"""Drives the server with the real codex as the client: an app-server of its own, beside the one that the daemon owns.
It calls our tools without a login and without a model.

Usage: codex_app_server.py NAME SHIM PROJECT CODEX CONFIG; CODEX is the program, CONFIG a config.toml with the scripted provider.
The folder `.codex` in HOME becomes its CODEX_HOME, so it must be a HOME of its own.
"""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import threading

from checks import check, demand, demand_tools, main_job, require_python

NAME, SHIM, PROJECT, CODEX, CONFIG = sys.argv[1:6]
SERVER = "codex-control-plane"
CALL_SECONDS_MAX = 50
STOP_SECONDS_MAX = 10


class AppServer:
    """JSON lines with `codex app-server`, one request at a time."""

    def __init__(self, home):
        said = (home / "said").open("wb")
        self.process = subprocess.Popen([CODEX, "app-server"], cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        self.lines = queue.SimpleQueue()
        self.last_id = 0
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def request(self, method, **params):
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params})
        while True:
            line = self.lines.get(timeout=CALL_SECONDS_MAX)
            demand(line is not None, f"codex ended while it was asked {method}")
            demand("method" not in line or "id" not in line, f"codex asks something: {line}")
            if line.get("id") == self.last_id:
                demand("result" in line, f"{method}: {line}")
                return line["result"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=STOP_SECONDS_MAX)


def add_server(home):
    """Adds the server as a user would, with codex's own command."""
    codex_home = home / ".codex"
    codex_home.mkdir(exist_ok=True)
    shutil.copy(CONFIG, codex_home / "config.toml")
    subprocess.run([CODEX, "mcp", "add", SERVER, "--", SHIM], check=True, stdout=subprocess.DEVNULL, timeout=CALL_SECONDS_MAX)


def main():
    home = pathlib.Path(os.environ["HOME"])
    with check(NAME, "codex mcp add"):
        add_server(home)
    with check(NAME, "starts and ends"):
        codex = AppServer(home)
        try:
            drive(codex)
        finally:
            codex.close()


def drive(codex):
    codex.request("initialize", clientInfo={"name": "outside-client", "title": None, "version": "1"})
    codex.send({"method": "initialized"})
    with check(NAME, "list"):
        servers = {server["name"]: server for server in codex.request("mcpServerStatus/list")["data"]}
        demand(SERVER in servers, f"{list(servers)}")
        demand_tools(list(servers[SERVER]["tools"].values()))
    thread = codex.request("thread/start", cwd=PROJECT)["thread"]["id"]
    for step in main_job(NAME, PROJECT):
        with check(NAME, step.name):
            called = codex.request("mcpServer/tool/call", threadId=thread, server=SERVER, tool=step.tool, arguments=step.arguments)
            step.judge(called.get("isError") or False, called["structuredContent"], called["content"][0]["text"])


require_python(3, 11)
main()
