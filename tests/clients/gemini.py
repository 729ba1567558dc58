"""Drives the server with Gemini's command line: its list of servers, and a prompt whose model is a script on loopback.

Usage: gemini.py NAME SHIM PROJECT FOLDER; FOLDER is where npm installed it, HOME is a folder of its own.
The scripted model asks for the calls of the main job and judges what Gemini hands back. It must never be asked for more
than one answer at a time, and no real model is.
"""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

from checks import MAIN_JOB, check, demand, main_job, require_python

NAME, SHIM, PROJECT, FOLDER = sys.argv[1:5]
RUN_SECONDS_MAX = 120
SERVER = "codex-control-plane"
# Named, because Gemini asks another model which one to take otherwise.
MODEL = "gemini-2.5-flash"
# Gemini calls our tools so.
PREFIX = f"mcp_{SERVER}_"
# Gemini adds this argument to what it shows of every tool, and hands it on to the server.
ITS_OWN_ARGUMENT = "wait_for_previous"


class Model(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next call of the main job, at the end with a word."""

    steps = main_job(NAME, PROJECT)
    asked = None

    def do_POST(self):  # the name that http.server wants
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if Model.asked is None:
            with check(NAME, "list"):
                demand_declarations(body)
        else:
            with check(NAME, Model.asked.name):
                Model.asked.judge(*handed_back(body))
        Model.asked = next(Model.steps, None)
        self.answer({"text": "done"} if Model.asked is None else {"functionCall": function_call(Model.asked)})

    def answer(self, part):
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        line = f"data: {json.dumps({'candidates': [candidate]})}\r\n\r\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(line)))
        self.end_headers()
        self.wfile.write(line)

    def log_message(self, *_):
        pass


def function_call(step):
    return {"name": PREFIX + step.tool, "args": {**step.arguments, ITS_OWN_ARGUMENT: True}}


def demand_declarations(body):
    declared = [one for tool in body["tools"] for one in tool.get("functionDeclarations", []) if one["name"].startswith(PREFIX)]
    missing = set(MAIN_JOB["tools"]) - {one["name"].removeprefix(PREFIX) for one in declared}
    demand(not missing, f"missing: {sorted(missing)}")
    for one in declared:
        demand(one["description"] and one["parametersJsonSchema"]["type"] == "object", f"{one}")


def handed_back(body):
    """Whether it is an error, and the payload, of the newest result that the model is told."""
    parts = [part for content in body["contents"] for part in content["parts"]]
    told = [part["functionResponse"]["response"] for part in parts if "functionResponse" in part][-1]
    if "output" in told:
        return False, json.loads(re.fullmatch(r"<untrusted_context>\n(.*)\n</untrusted_context>", told["output"], re.DOTALL)[1])
    # An error is a sentence that ends with the whole result.
    result = json.loads(told["error"].partition(" with response: ")[2])[0]["functionResponse"]["response"]
    return result["isError"], result["structuredContent"]


def settle(home):
    """Its settings, with a folder that it trusts: in any other it switches all servers off."""
    settings = home / ".gemini"
    settings.mkdir(exist_ok=True)
    # Trust of the server: without a person to ask, Gemini shows its model no tool of one that it does not trust.
    said = {
        "mcpServers": {SERVER: {"command": SHIM, "trust": True}},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    (settings / "settings.json").write_text(json.dumps(said), encoding="utf-8")
    (settings / "trustedFolders.json").write_text(json.dumps({str(home): "TRUST_FOLDER"}), encoding="utf-8")


def run(home, arguments, **variables):
    """Exit code, and all it printed: its lists are on stderr."""
    ran = subprocess.run(
        [f"{FOLDER}/node_modules/.bin/gemini", *arguments],
        cwd=home,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    return ran.returncode, ran.stdout


def main():
    home = pathlib.Path(os.environ["HOME"])
    settle(home)
    with check(NAME, "mcp list says Connected"):
        code, said = run(home, ["mcp", "list"])
        demand(code == 0, f"exit {code}: {said}")
        demand(re.search(rf"^\S* *{SERVER}: .* - Connected$", said, re.MULTILINE), said)
    with check(NAME, "a prompt runs to its end"), http.server.HTTPServer(("127.0.0.1", 0), Model) as model:
        threading.Thread(target=model.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{model.server_port}"
        code, said = run(home, ["-m", MODEL, "-p", "do it"], GEMINI_API_KEY="none", GOOGLE_GEMINI_BASE_URL=address)
        model.shutdown()
        demand(code == 0 and said.rstrip().endswith("done"), f"exit {code}: {said}")


require_python(3, 11)
main()
