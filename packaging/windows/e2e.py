"""One task on Windows from end to end: shim.exe, codexcp-daemon.exe and the real codex.exe, with a scripted model and the
daemon killed in the middle of the turn. Prints what happened, step by step; exit code 1 where something is not as it should be.

Usage: e2e.py PROGRAMS CODEX   (folder of the programs, path of codex.exe; the environment is that of `machine.sh`)

It must never reach anything but loopback.
"""

import json
import pathlib
import re
import subprocess
import sys
import time

from home import START_SECONDS_MAX, TURN_SECONDS_MAX, Home, Lines, Shim, windows

# The scripted model says one word after the other, this many milliseconds apart: time enough to kill and to start again.
TASK = "SLOW 700 The daemon was killed while I wrote this on Windows, and here is the report that you waited for all the same."
REPORT = TASK.split(" ", 2)[2]

CODEX_CONFIG = """\
model = "gpt-5.5"
model_provider = "fake"
approval_policy = "on-request"
check_for_update_on_startup = false

[analytics]
enabled = false

[feedback]
enabled = false

[features]
plugins = false
apps = false

[model_providers.fake]
name = "fake"
base_url = "{base_url}"
wire_api = "responses"
requires_openai_auth = false
supports_websockets = false
request_max_retries = 0
stream_max_retries = 0
"""

began = time.monotonic()


def say(what, text):
    print(f"{time.monotonic() - began:6.1f} s  {what:<16} {text}", flush=True)


def demand(true, otherwise):
    if not true:
        raise AssertionError(otherwise)


def running(shim, operation):
    """Until the prompt is on codex's disk and the model is answering."""
    until = time.monotonic() + TURN_SECONDS_MAX
    said = shim.tool("codex_get_operation_status", operation_id=operation)
    cursor = said["cursor"]
    while said["status"] != "running":
        demand(said["completedAt"] is None, f"it ended early: {said}")
        demand(time.monotonic() < until, f"no turn within {TURN_SECONDS_MAX} s: {said}")
        cursor = shim.tool("codex_wait", operation_ids=[operation], after_cursor=cursor, max_seconds=10)["cursor"]
        said = shim.tool("codex_get_operation_status", operation_id=operation)
    return said


def model_requests(log):
    lines = log.read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["prompt"] == TASK]


def asked(log):
    """Until codex has asked the model; nothing else tells of a line in the provider's log."""
    until = time.monotonic() + TURN_SECONDS_MAX
    while not model_requests(log):
        demand(time.monotonic() < until, f"codex did not ask the model within {TURN_SECONDS_MAX} s")
        time.sleep(0.02)


def main(programs, codex):
    with Home(programs, codex) as home:
        log = home.folder / "provider.ndjson"
        provider = home.start("fake_provider", "--log", windows(log), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            base_url = Lines(provider.stdout).next(START_SECONDS_MAX).removeprefix("listening on ")
            (home.codex_home / "config.toml").write_text(CODEX_CONFIG.format(base_url=base_url), encoding="utf-8")
            with Shim(home) as shim:
                journey(home, shim, log)
        finally:
            # The process on this side is the one on the other.
            provider.kill()
            provider.wait()
        stop(home)


def journey(home, shim, log):
    first = home.daemon_pid()
    say("shim", f"answers initialize as {shim.welcome['serverInfo']['name']} {shim.welcome['serverInfo']['version']}")
    say("daemon", f"pid {first}, started by the shim")
    task = {"operation_type": "start_chat", "project_id": windows(home.project), "message": TASK, "client_request_id": "windows-1"}
    operation = shim.tool("codex_submit_task", **task)["operationId"]
    say("accepted", f"operation {operation}, in {windows(home.project)}")
    running(shim, operation)
    server = shim.tool("codex_get_app_server_status")
    say("running", f"codex {server['codexVersion']} as pid {server['pid']} over {server['link']}, process generation {server['processGeneration']}")

    waiting = shim.ask("tools/call", {"name": "codex_wait", "arguments": {"operation_ids": [operation], "mode": "all", "max_seconds": 40}})
    asked(log)
    home.kill(first)
    say("killed", f"the daemon, pid {first}, while a call waited for its answer")
    waited = shim.answer_to(waiting, TURN_SECONDS_MAX)["structuredContent"]
    while not waited["allEnded"]:
        demand(waited.get("ok") is True, f"codex_wait: {waited}")
        waited = shim.tool("codex_wait", operation_ids=[operation], mode="all", max_seconds=40)
    second = home.daemon_pid()
    demand(second != first, f"the daemon {first} was not killed")
    say("daemon", f"pid {second}, started again by the shim")
    after = shim.tool("codex_get_app_server_status")
    demand((after["pid"], after["processGeneration"]) == (server["pid"], server["processGeneration"]), f"another app-server: {after}")
    say("app-server", f"pid {after['pid']}, the same process: the turn went on in it")

    said = shim.tool("codex_get_operation_status", operation_id=operation)
    demand(said["status"] == "completed", said)
    report = said["finalReport"]["text"].strip()
    demand(report == REPORT, f"another report: {report}")
    say("report", report)
    again = shim.tool("codex_submit_task", **task)
    demand(again["operationId"] == operation and again["idempotent"] is True, again)
    say("same call again", "the same operation")
    requests = len(model_requests(log))
    demand(requests == 1, f"the model was asked {requests} times")
    say("the model's log", "1 request for this prompt, ever")
    for event in shim.tool("codex_get_events", operation_id=operation)["events"]:
        state = event["body"].get("state") or event["body"].get("status") or ""
        say("event", f"{event['at'][11:23]}  {event['type']:<24} {state}")


def stop(home):
    stopped = json.loads(home.codexcp("daemon", "stop", "--all", "--json").stdout)
    demand(stopped["stopped"] is True, stopped)
    home.nothing_left()
    say("stopped", "the daemon, and codex with it")


try:
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
except Exception as error:
    say("FAILED", re.sub(r"\s+", " ", f"{type(error).__name__}: {error}"))
    sys.exit(1)
say("done", "all as it should be")
