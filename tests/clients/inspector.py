"""Drives the server with the Inspector's command line, in one era of the protocol: `legacy` or `modern`.

Usage: inspector.py NAME SHIM PROJECT FOLDER ERA; FOLDER is where npm installed it.
The Inspector checks structured content against the schema of the tool and refuses what does not fit.
"""

import json
import subprocess
import sys

from checks import NOBODYS_ID, READS, check, demand, demand_refusal, demand_tools, main_job, require_python

NAME, SHIM, PROJECT, FOLDER, ERA = sys.argv[1:6]
RUN_SECONDS_MAX = 60
# The Inspector's exit codes.
SCHEMA_NOT_PORTABLE, TOOL_SAID_ERROR = 6, 5


def run(*arguments):
    """Exit code, the result or None, and what it said on stderr."""
    command = [f"{FOLDER}/node_modules/.bin/mcp-inspector", "--cli", SHIM, "-q", "--format", "json", "--protocol-era", ERA, *arguments]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    try:
        answer = json.loads(ran.stdout)
        result = answer.get("result", answer)
    except ValueError:
        result = None
    return ran.returncode, result, ran.stderr


def call(tool, arguments):
    code, result, said = run("--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))
    demand(code in (0, TOOL_SAID_ERROR) and result, f"{tool}: exit {code}: {said}")
    demand((code == TOOL_SAID_ERROR) is (result.get("isError") or False), f"{tool}: exit {code}: {result}")
    return result


def refused(tool, expected, **arguments):
    result = call(tool, arguments)
    demand_refusal(result.get("isError"), result.get("structuredContent"), expected)


def schema_faults(said):
    """The paragraphs of the strict check that are errors."""
    return [paragraph for paragraph in said.split("\n\n") if paragraph.startswith("Error")]


def the_main_job():
    with check(NAME, "list"):
        code, result, said = run("--method", "tools/list", "--strict")
        demand(code != SCHEMA_NOT_PORTABLE, f"schemas are not portable: {schema_faults(said)}")
        demand(code == 0, f"exit {code}: {said}")
        demand_tools(result["tools"])
    for step in main_job(NAME, PROJECT):
        with check(NAME, step.name):
            result = call(step.tool, step.arguments)
            step.judge(result.get("isError") or False, result.get("structuredContent"), result["content"][0]["text"])
        if step.name == "submit":
            the_same_submit_again(step)


def the_same_submit_again(step):
    with check(NAME, "the same submit again is the same operation"):
        again = call(step.tool, step.arguments)["structuredContent"]["operationId"]
        demand(again == step.blanks["operation"], f"{again} is not {step.blanks['operation']}")
    with check(NAME, "a submit of other content under the same request id is a conflict"):
        refused(step.tool, "IDEMPOTENCY_CONFLICT", **{**step.arguments, "message": "SAY other"})


def more():
    with check(NAME, "codex_wait for an unknown id is an error result"):
        refused("codex_wait", "INVALID_ARGUMENT", operation_ids=[NOBODYS_ID])
    with check(NAME, "an argument of the wrong type is an error result"):
        refused("codex_wait", "INVALID_ARGUMENT", operation_ids="one")
    with check(NAME, "an unknown argument is an error result"):
        refused("codex_get_queue_status", "INVALID_ARGUMENT", colour="red")
    for tool in READS:
        with check(NAME, tool):
            payload = call(tool, {})["structuredContent"]
            demand(payload["ok"] is True, f"{payload}")
    with check(NAME, "100 calls, 8 at once"):
        load = ["--load", "--load-requests", "100", "--load-concurrency", "8"]
        code, result, said = run("--method", "tools/call", "--tool-name", "codex_get_queue_status", "--tool-args-json", "{}", *load)
        demand(code == 0 and result["ok"] == 100, f"exit {code}: {result} {said}")


require_python(3, 11)
the_main_job()
more()
