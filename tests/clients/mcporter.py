"""Drives the server with mcporter's command line, one process a call.

Usage: mcporter.py NAME SHIM PROJECT FOLDER; FOLDER is where npm installed it.
mcporter shows no annotations and, of an answer, the structured content alone; an error is its exit code 1.
"""

import json
import subprocess
import sys

from checks import check, demand, demand_tools, main_job, require_python

NAME, SHIM, PROJECT, FOLDER = sys.argv[1:5]
RUN_SECONDS_MAX = 60
TOOL_SAID_ERROR = 1


def run(*arguments):
    """Exit code, the JSON it printed, and what it said on stderr."""
    command, *rest = arguments
    line = [f"{FOLDER}/node_modules/.bin/mcporter", command, "--stdio", SHIM, "--name", "codexcp", *rest]
    ran = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    try:
        return ran.returncode, json.loads(ran.stdout), ran.stderr
    except ValueError:
        raise AssertionError(f"exit {ran.returncode}, no JSON: {ran.stdout} {ran.stderr}") from None


def call(tool, *arguments):
    code, payload, said = run("call", tool, "--output", "json", *arguments)
    demand(code in (0, TOOL_SAID_ERROR), f"exit {code}: {said}")
    return code == TOOL_SAID_ERROR, payload


def main():
    with check(NAME, "list"):
        code, listed, said = run("list", "--json", "--schema")
        demand(code == 0 and listed["status"] == "ok", f"exit {code}: {listed} {said}")
        demand_tools(listed["tools"], annotated=False)
        demand(not said, f"it complains: {said}")
    for step in main_job(NAME, PROJECT):
        with check(NAME, step.name):
            step.judge(*call(step.tool, "--args", json.dumps(step.arguments)))
    with check(NAME, "arguments as key=value"):
        is_error, payload = call("codex_get_queue_status", "limit=3", "status=running")
        demand(not is_error and payload["ok"] is True, f"{payload}")


require_python(3, 11)
main()
