"""Drives the server with `codex exec`, as an agent whose model is a script on loopback: it searches for our tools and
calls them in a turn, under codex's own rules of approval.

Usage: codex_exec.py NAME SHIM PROJECT CODEX; CODEX is the program. The folder `.codex` in HOME becomes its CODEX_HOME,
so it must be a HOME of its own. The scripted model must never be asked for more than one answer at a time.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import uuid

from checks import MAIN_JOB, check, demand, main_job, require_python

NAME, SHIM, PROJECT, CODEX = sys.argv[1:5]
RUN_SECONDS_MAX = 120
SERVER = "codex-control-plane"
# Codex shows its model the tools of a server under this name, once it has searched for them.
NAMESPACE = "mcp__codex_control_plane"
CONFIG = """
model = "gpt-5.5"
model_provider = "script"
check_for_update_on_startup = false
[analytics]
enabled = false
[features]
plugins = false
apps = false
[model_providers.script]
name = "script"
base_url = "{address}"
wire_api = "responses"
requires_openai_auth = false
supports_websockets = false
[mcp_servers.codex-control-plane]
command = "{shim}"
{approval}
"""
# Nobody is there to ask, so codex refuses calls that change something unless they are approved beforehand.
APPROVAL = """
[mcp_servers.codex-control-plane.tools.codex_submit_task]
approval_mode = "approve"
"""


class Model(http.server.BaseHTTPRequestHandler):
    """Searches for our tools, then asks for the calls of the main job, one an answer, at the end says a word."""

    def do_POST(self):  # the name that http.server wants
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(self.server.script.send(body["input"]))

    def answer(self, item):
        response = {"id": "response", "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}
        events = [
            {"type": "response.created", "response": {"id": "response"}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        lines = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(lines)))
        self.end_headers()
        self.wfile.write(lines)

    def log_message(self, *_):
        pass


def the_main_job():
    """What the model says; each `yield` waits for the next request and gives the conversation so far."""
    yield
    query = {"query": "codex durable task operation", "limit": 20}
    conversation = yield {"type": "tool_search_call", "call_id": "search", "execution": "client", "status": "completed", "arguments": query}
    with check(NAME, "list"):
        found = [tools for tools in conversation[-1]["tools"] if tools["name"] == NAMESPACE]
        missing = set(MAIN_JOB["tools"]) - {tool["name"] for tools in found for tool in tools["tools"]}
        demand(not missing, f"missing: {sorted(missing)}")
    for step in main_job(NAME, PROJECT):
        conversation = yield function_call(step.tool, step.arguments)
        with check(NAME, step.name):
            payload = told(conversation[-1])
            # The model is not told isError, only the payload.
            step.judge(not payload["ok"], payload)
    yield word()


def unapproved():
    """A submit, and what codex makes of it where nothing was approved."""
    yield
    step = next(main_job(NAME, PROJECT))
    conversation = yield function_call(step.tool, {**step.arguments, "client_request_id": f"{NAME}-unapproved"})
    with check(NAME, "without approval beforehand a submit is refused by codex"):
        demand("requires approval" in json.dumps(conversation[-1]["output"]), f"{conversation[-1]}")
    yield word()


def function_call(tool, arguments):
    called = {"name": tool, "namespace": NAMESPACE, "arguments": json.dumps(arguments)}
    return {"type": "function_call", "call_id": str(uuid.uuid4()), "status": "completed", **called}


def word():
    said = {"type": "output_text", "text": "done", "annotations": []}
    return {"type": "message", "id": "word", "role": "assistant", "status": "completed", "content": [said]}


def told(output):
    """The payload in what the model is told of a call."""
    demand(isinstance(output["output"], str), f"{output['output']}")
    return json.loads(output["output"].partition("\nOutput:\n")[2])


def run(home, script, approval):
    next(script)
    with http.server.HTTPServer(("127.0.0.1", 0), Model) as model:
        model.script = script
        threading.Thread(target=model.serve_forever, daemon=True).start()
        config = CONFIG.format(address=f"http://127.0.0.1:{model.server_port}/v1", shim=SHIM, approval=approval)
        (home / ".codex").mkdir(exist_ok=True)
        (home / ".codex" / "config.toml").write_text(config, encoding="utf-8")
        ran = subprocess.run(
            [CODEX, "exec", "--skip-git-repo-check", "do it"],
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        model.shutdown()
    demand(ran.returncode == 0 and ran.stdout.strip() == "done", f"exit {ran.returncode}: {ran.stdout} {ran.stderr}")


def main():
    home = pathlib.Path(os.environ["HOME"])
    with check(NAME, "a turn runs to its end"):
        run(home, the_main_job(), APPROVAL)
    with check(NAME, "a turn runs to its end, nothing approved"):
        run(home, unapproved(), "")


require_python(3, 11)
main()
