"""What the client scripts in Python share: one printed line a check, and the main job of `main_job.json`.

A check that fails says so and the script goes on; the caller counts the lines. It must never know one client.
`checks.mjs` is the same for Node.
"""

import contextlib
import json
import pathlib
import re
import sys

MAIN_JOB = json.loads(pathlib.Path(__file__).with_name("main_job.json").read_text(encoding="utf-8"))

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


class Step:
    """One call of the main job, its blanks filled in."""

    def __init__(self, plan, blanks):
        self.name, self.tool, self.keeps = plan["name"], plan["tool"], plan.get("keeps", {})
        self.arguments, self.is_error, self.holds = filled(plan["arguments"], blanks), plan["is_error"], filled(plan["holds"], blanks)
        self.blanks = blanks

    def judge(self, is_error, payload, text=None):
        """`text` is the first text of the answer, where the client shows it: the same payload again."""
        demand(is_error is self.is_error, f"isError is {is_error!r} in {payload}")
        demand(isinstance(payload, dict), f"no structured content: {payload!r}")
        differs = first_difference(self.holds, payload)
        demand(differs is None, f"{differs} in {payload}")
        demand(text is None or json.loads(text) == payload, f"the text is not the payload: {text}")
        for blank, key in self.keeps.items():
            self.blanks[blank] = payload[key]


def main_job(client, project):
    """The steps of the main job, each made when the one before it was judged."""
    blanks = {"client": client, "project": project, "operation": NOBODYS_ID}
    for plan in MAIN_JOB["steps"]:
        yield Step(plan, blanks)


def filled(value, blanks):
    if isinstance(value, dict):
        return {key: filled(inner, blanks) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, blanks) for inner in value]
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: blanks[found[1]], value)
    return value


def first_difference(wanted, got, at=""):
    """Where `got` does not hold what is wanted, or None. Objects may hold more."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        inner = (first_difference(value, got.get(key), f"{at}/{key}") for key, value in wanted.items())
        return next((found for found in inner if found), None)
    return None if wanted == got and type(wanted) is type(got) else f"{at} is {got!r}, not {wanted!r}"


def demand_tools(tools, *, annotated=True):
    """`tools` as in the JSON of the protocol; not every client shows the annotations."""
    names = [tool["name"] for tool in tools]
    demand(len(names) == len(set(names)), f"a name is there twice: {names}")
    missing = sorted(set(MAIN_JOB["tools"]) - set(names))
    demand(not missing, f"missing: {missing}")
    for tool in tools:
        name = tool["name"]
        demand(re.fullmatch(r"[a-z0-9_]{1,48}", name), f"{name!r} is no portable name")
        demand(tool.get("description"), f"{name} says nothing about itself")
        for schema in ("inputSchema", "outputSchema"):
            demand(tool.get(schema, {}).get("type") == "object", f"{schema} of {name} is not an object's")
        for hint in ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint") if annotated else ():
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
