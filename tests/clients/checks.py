"""What the client scripts share: one printed line a check, and the small demands that checks are made of.

A check that fails says so and the script goes on; the caller counts the lines.
"""

import contextlib
import os
import re
import sys

TOOLS = {
    "codex_answer_pending_interaction",
    "codex_get_app_server_status",
    "codex_get_events",
    "codex_get_operation_status",
    "codex_get_queue_status",
    "codex_get_turn_status",
    "codex_health_summary",
    "codex_interrupt_turn",
    "codex_list_pending_interactions",
    "codex_list_projects",
    "codex_submit_task",
    "codex_wait",
}

# Read tools that need no argument.
READS = [
    "codex_get_app_server_status",
    "codex_get_events",
    "codex_get_queue_status",
    "codex_health_summary",
    "codex_list_pending_interactions",
    "codex_list_projects",
]

# An id of the right form that nobody ever got.
NOBODYS_ID = "00000000-0000-7000-8000-000000000000"

# Longest text of a failure.
SAID_MAX = 1000

# What a server program needs to find its temporary home: clients pass on only a few variables by themselves.
HOME_VARIABLES = ["CODEXCP_HOME", "CODEXCP_DAEMON_PROGRAM", "CODEX_HOME", "CODEX_BINARY_PATH"]


def home_environment():
    return {name: os.environ[name] for name in HOME_VARIABLES}


@contextlib.contextmanager
def check(client, what):
    try:
        yield
    except Exception as error:  # one check never ends the others
        print(f"FAILED {client}: {what}: {in_one_line(error)}", flush=True)
    else:
        print(f"ok {client}: {what}", flush=True)


def in_one_line(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = f"{type(error).__name__}: {error}"
    return re.sub(r"\s+", " ", said)[:SAID_MAX]


def demand(true, otherwise):
    if not true:
        raise AssertionError(otherwise)


def demand_tools(tools):
    """`tools` as in the JSON of the protocol."""
    names = [tool["name"] for tool in tools]
    demand(len(names) == len(set(names)), f"a name is there twice: {names}")
    demand(TOOLS <= set(names), f"missing: {sorted(TOOLS - set(names))}")
    for tool in tools:
        name = tool["name"]
        demand(re.fullmatch(r"[a-z0-9_]{1,48}", name), f"{name!r} is no portable name")
        demand(tool.get("description"), f"{name} says nothing about itself")
        for schema in ("inputSchema", "outputSchema"):
            demand(tool.get(schema, {}).get("type") == "object", f"{schema} of {name} is not an object's")
        for hint in ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"):
            demand(isinstance(tool.get("annotations", {}).get(hint), bool), f"{name} lacks {hint}")


def demand_refusal(is_error, payload, code):
    """An error a caller can act on, as the result of a tool."""
    demand(is_error is True, f"isError is {is_error!r} in {payload}")
    demand(isinstance(payload, dict) and payload.get("ok") is False, f"ok is not false in {payload}")
    error = payload.get("error", {})
    demand(error.get("code") == code, f"code is not {code} in {payload}")
    demand(error.get("message"), f"no message in {payload}")
    demand(isinstance(error.get("retryable"), bool), f"retryable is no boolean in {payload}")


def require_python(major, minor):
    if sys.version_info < (major, minor):
        sys.exit(f"Python {major}.{minor} or newer is needed, this is {sys.version.split()[0]}")
