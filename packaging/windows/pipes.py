"""Round trips over the named pipe with the real Windows programs: daemon, command and shim, without codex itself.

Usage: pipes.py PROGRAMS   (the folder of the programs; the environment is that of `machine.sh`)

One line a check; the exit code is 1 where one failed. In place of codex it takes the tests' program that speaks the
protocol on its pipes, so that a task comes to its end here too.
"""

import json
import pathlib
import re
import subprocess
import sys
import threading

from home import CALL_SECONDS_MAX, START_SECONDS_MAX, Home, Lines, Shim, windows

SHIMS, CALLS_EACH = 8, 25
SAID_MAX = 1000

programs = pathlib.Path(sys.argv[1])
failed = 0


def check(what, work, *arguments):
    """One check never ends the others; None where it failed."""
    global failed
    try:
        said = work(*arguments)
    except Exception as error:
        failed += 1
        said = re.sub(r"\s+", " ", repr(error))[:SAID_MAX]
        print(f"FAILED {what}: {said}", flush=True)
        return None
    else:
        print(f"ok {what}", flush=True)
        return said


def demand(true, otherwise):
    if not true:
        raise AssertionError(otherwise)


def started(home):
    log = open(home.folder / "daemon.stderr", "w", encoding="utf-8")
    daemon = home.start("codexcp-daemon", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    line = Lines(daemon.stdout).next(START_SECONDS_MAX)
    demand(line == "ready", f"it said {line!r}")
    return daemon


def status(home):
    said = json.loads(home.codexcp("status", "--json").stdout)
    demand(said["health"]["ok"] is True and said["queue"]["ok"] is True, said)


def second_daemon(home):
    second = home.start("codexcp-daemon", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, words = second.communicate(timeout=START_SECONDS_MAX)
    demand(second.returncode != 0, f"a second one runs: {out}")
    demand(re.search(r"pid \d+", words), f"it does not say who holds the home: {words}")


def tools(shim):
    demand(shim.welcome["protocolVersion"] == "2025-06-18", shim.welcome)
    names = {tool["name"] for tool in shim.request("tools/list", {})["tools"]}
    demand({"codex_submit_task", "codex_wait", "codex_get_operation_status"} <= names, names)


def task(shim, home, message):
    """From the submit to the report; the operation's id."""
    asked = {"operation_type": "start_chat", "project_id": windows(home.project), "message": message, "client_request_id": message}
    operation = shim.tool("codex_submit_task", **asked)["operationId"]
    waited = shim.tool("codex_wait", operation_ids=[operation], mode="all", max_seconds=40)
    demand(waited["allEnded"] is True, waited)
    said = shim.tool("codex_get_operation_status", operation_id=operation)
    demand(said["status"] == "completed" and said["finalReport"]["text"] == f"you said: {message}", said)
    again = shim.tool("codex_submit_task", **asked)
    demand(again["operationId"] == operation and again["idempotent"] is True, again)
    return operation


def many_shims(home):
    faults = []

    def one():
        try:
            with Shim(home) as shim:
                for _ in range(CALLS_EACH):
                    shim.tool("codex_get_queue_status")
        except Exception as error:
            faults.append(repr(error))

    threads = [threading.Thread(target=one) for _ in range(SHIMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    demand(not faults, faults)


def killed_daemon(shim, home, daemon, operation):
    """The shim starts the next one with its next call."""
    home.kill(home.daemon_pid())
    daemon.wait(CALL_SECONDS_MAX)
    said = shim.tool("codex_get_operation_status", operation_id=operation)
    demand(said["status"] == "completed", said)


def stopped(home):
    said = json.loads(home.codexcp("daemon", "stop", "--json").stdout)
    demand(said["stopped"] is True, said)
    again = json.loads(home.codexcp("daemon", "stop", "--json").stdout)
    demand(again["stopped"] is False, again)


with Home(programs, codex=programs / "fake_codex.exe", link="stdio") as home:
    daemon = check("the daemon starts and says so", started, home)
    check("codexcp status", status, home)
    check("a second daemon in the same home is refused", second_daemon, home)
    with Shim(home) as shim:
        check("the shim answers initialize and tools/list", tools, shim)
        operation = check("a task through the shim ends with its report", task, shim, home, "hello from Windows")
        check(f"{SHIMS} shims at once, {CALLS_EACH} calls each", many_shims, home)
        if daemon and operation:
            check("a killed daemon is started again by the shim, with all it knew", killed_daemon, shim, home, daemon, operation)
    check("codexcp daemon stop", stopped, home)
    check("nothing is left running", home.nothing_left)

sys.exit(1 if failed else 0)
