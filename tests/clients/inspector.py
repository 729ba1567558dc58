"""Drives the server with the Inspector's command line, in one era of the protocol: `legacy` or `modern`.

Usage: inspector.py MCP_INSPECTOR SHIM PROJECT ERA; the environment names the temporary home.
The Inspector checks structured content against the schema of the tool and refuses what does not fit.
"""

import json
import subprocess
import sys

from checks import NOBODYS_ID, READS, check, demand, demand_refusal, demand_tools, home_environment, require_python

INSPECTOR, SHIM, PROJECT, ERA = sys.argv[1:5]
RUN_SECONDS_MAX = 60
# The Inspector's exit codes.
SCHEMA_NOT_PORTABLE, TOOL_SAID_ERROR = 6, 5


class Inspector:
    def __init__(self, era):
        self.era = era
        self.name = f"inspector {era}"

    def run(self, *arguments):
        """Exit code, the result or None, and what it said on stderr."""
        variables = [part for item in home_environment().items() for part in ("-e", "=".join(item))]
        command = [INSPECTOR, "--cli", *variables, SHIM, "-q", "--format", "json", "--protocol-era", self.era, *arguments]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
        try:
            answer = json.loads(ran.stdout)
            result = answer.get("result", answer)
        except ValueError:
            result = None
        return ran.returncode, result, ran.stderr

    def call(self, tool, **arguments):
        return self.run("--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))

    def payload(self, tool, **arguments):
        """Of a call that must succeed."""
        code, result, said = self.call(tool, **arguments)
        demand(code == 0, f"{tool}: exit {code}: {said}")
        payload = result.get("structuredContent")
        demand(payload and payload.get("ok") is True and not result.get("isError"), f"{tool}: {result}")
        demand(json.loads(result["content"][0]["text"]) == payload, f"{tool}: the text is not the payload")
        return payload

    def refused(self, tool, expected, **arguments):
        code, result, said = self.call(tool, **arguments)
        demand(code == TOOL_SAID_ERROR and result, f"{tool}: exit {code}: {said}")
        demand_refusal(result.get("isError"), result.get("structuredContent"), expected)


def schema_faults(said):
    """The paragraphs of the strict check that are errors."""
    return [paragraph for paragraph in said.split("\n\n") if paragraph.startswith("Error")]


def checks(inspector):
    name = inspector.name
    task = {
        "operation_type": "start_chat",
        "project_id": PROJECT,
        "message": f"SAY hello {inspector.era}",
        "client_request_id": f"inspector-{inspector.era}",
    }
    operation = NOBODYS_ID

    with check(name, "tools/list, strict"):
        code, result, said = inspector.run("--method", "tools/list", "--strict")
        demand(code != SCHEMA_NOT_PORTABLE, f"schemas are not portable: {schema_faults(said)}")
        demand(code == 0, f"exit {code}: {said}")
        demand_tools(result["tools"])
    with check(name, "codex_submit_task"):
        payload = inspector.payload("codex_submit_task", **task)
        operation = payload["operationId"]
    with check(name, "codex_submit_task again is the same operation"):
        payload = inspector.payload("codex_submit_task", **task)
        demand(payload["operationId"] == operation, f"{payload['operationId']} is not {operation}")
    with check(name, "codex_submit_task of other content under the same request id is a conflict"):
        inspector.refused("codex_submit_task", "IDEMPOTENCY_CONFLICT", **{**task, "message": "SAY other"})
    with check(name, "codex_wait"):
        payload = inspector.payload("codex_wait", operation_ids=[operation], mode="all", max_seconds=40)
        demand(payload["allEnded"] is True and payload["timedOut"] is False, f"{payload}")
    with check(name, "codex_get_operation_status"):
        payload = inspector.payload("codex_get_operation_status", operation_id=operation, include_events=True)
        demand(payload["status"] == "completed", f"{payload}")
        demand(f"hello {inspector.era}" in json.dumps(payload["finalReport"]), f"{payload['finalReport']}")
    with check(name, "codex_get_operation_status of an unknown id is an error result"):
        inspector.refused("codex_get_operation_status", "INVALID_ARGUMENT", operation_id=NOBODYS_ID)
    with check(name, "an argument of the wrong type is an error result"):
        inspector.refused("codex_wait", "INVALID_ARGUMENT", operation_ids="one")
    with check(name, "an unknown argument is an error result"):
        inspector.refused("codex_get_queue_status", "INVALID_ARGUMENT", colour="red")
    for tool in READS:
        with check(name, tool):
            inspector.payload(tool)
    with check(name, "100 calls, 8 at once"):
        load = ["--load", "--load-requests", "100", "--load-concurrency", "8"]
        code, result, said = inspector.run(
            "--method", "tools/call", "--tool-name", "codex_get_queue_status", "--tool-args-json", "{}", *load
        )
        demand(code == 0 and result["ok"] == 100, f"exit {code}: {result} {said}")


require_python(3, 11)
checks(Inspector(ERA))
