"""Drives the server with the Python SDK 2.x, in one mode of it: `auto` (asks for the newer protocol first) or `legacy`
(the older handshake).

Usage: python_sdk_2.py NAME SHIM PROJECT FOLDER MODE, with the Python that has the SDK; FOLDER is its environment.
The SDK validates every result against the protocol and structured content against the schema of the tool.
"""

import asyncio
import itertools
import json
import sys

from checks import NOBODYS_ID, READS, check, demand, demand_refusal, demand_tools, main_job, require_python
from mcp import Client, StdioServerParameters

NAME, SHIM, PROJECT, _FOLDER, MODE = sys.argv[1:6]
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
CALL_SECONDS_MAX = 50
ALL_SECONDS_MAX = 110
WAIT_SECONDS = 40
# Instructions are cut here by clients.
INSTRUCTIONS_MAX = 2048


class Session:
    """A connected client, and tool calls as the checks want them."""

    def __init__(self, client):
        self.client = client

    async def call(self, tool, **arguments):
        return await self.client.call_tool(tool, arguments, read_timeout_seconds=CALL_SECONDS_MAX)

    async def payload(self, tool, **arguments):
        """Of a call that must succeed."""
        return succeeded(tool, await self.call(tool, **arguments))

    async def refused(self, tool, expected, **arguments):
        result = await self.call(tool, **arguments)
        demand_refusal(result.is_error, result.structured_content, expected)

    async def submit(self, request, message, **more):
        payload = await self.payload(
            "codex_submit_task",
            operation_type="start_chat",
            project_id=PROJECT,
            message=message,
            client_request_id=f"{NAME}-{request}",
            # The other mode may have the same prompt at work.
            dedup_policy="idempotency_only",
            **more,
        )
        return payload["operationId"]

    async def settled(self, operation):
        """The state of the operation once it has ended or asks something."""
        payload = await self.payload("codex_wait", operation_ids=[operation], mode="all", max_seconds=WAIT_SECONDS)
        demand(payload["timedOut"] is False, f"{payload}")
        return payload["operations"][0]

    async def status(self, operation):
        return await self.payload("codex_get_operation_status", operation_id=operation, include_events=True)

    async def question(self, operation):
        """The one interaction that the operation waits for."""
        state = await self.settled(operation)
        demand(state["ended"] is False and state["pendingInteractions"] == 1, f"{state}")
        payload = await self.payload("codex_list_pending_interactions", operation_id=operation)
        demand(len(payload["interactions"]) == 1, f"{payload}")
        return payload["interactions"][0]

    async def answer(self, interaction, **arguments):
        payload = await self.payload("codex_answer_pending_interaction", interaction_id=interaction["interactionId"], **arguments)
        demand(payload["answered"] is True, f"{payload}")

    async def ends(self, operation, expected):
        state = await self.settled(operation)
        demand(state["ended"] is True and state["status"] == expected, f"{state}")
        status = await self.status(operation)
        demand(status["status"] == expected, f"{status}")
        return status


def succeeded(tool, result):
    demand(not result.is_error, f"{tool}: {result.structured_content}")
    payload = result.structured_content
    demand(payload and payload.get("ok") is True, f"{tool}: {payload}")
    demand(json.loads(result.content[0].text) == payload, f"{tool}: the text is not the payload")
    return payload


async def first_look(session):
    client = session.client
    with check(NAME, f"speaks {VERSIONS[MODE]}"):
        demand(client.protocol_version == VERSIONS[MODE], f"it speaks {client.protocol_version}")
    with check(NAME, "the server says who it is and how it is used"):
        demand(client.server_info and client.server_info.name == "codex-control-plane-mcp", f"{client.server_info}")
        demand(client.server_info.version, "no version")
        demand(client.instructions and len(client.instructions) <= INSTRUCTIONS_MAX, f"{client.instructions!r}")
        demand(client.server_capabilities.tools is not None, f"{client.server_capabilities}")
    with check(NAME, "list"):
        listed = await client.list_tools()
        demand(listed.next_cursor is None, "the list has more pages")
        demand_tools([tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed.tools])
    for step in main_job(NAME, PROJECT):
        with check(NAME, step.name):
            result = await session.call(step.tool, **step.arguments)
            step.judge(result.is_error, result.structured_content, result.content[0].text)
    for tool in READS:
        with check(NAME, tool):
            await session.payload(tool)


async def a_task(session):
    progress = []

    async def seen(value, _total, message):
        progress.append((value, message))

    with check(NAME, "codex_wait tells its progress on the way"):
        operation = await session.submit("slow", "SLOW 400 one two three four five six seven eight nine ten")
        result = await session.client.call_tool(
            "codex_wait",
            {"operation_ids": [operation], "mode": "all", "max_seconds": WAIT_SECONDS},
            read_timeout_seconds=CALL_SECONDS_MAX,
            progress_callback=seen,
        )
        payload = succeeded("codex_wait", result)
        demand(payload["allEnded"] is True, f"{payload}")
        demand(progress, "no progress was told")
        values = [value for value, _ in progress]
        demand(all(a < b for a, b in itertools.pairwise(values)), f"progress does not rise: {values}")
        demand(all(message for _, message in progress), f"progress without a word: {progress}")
    with check(NAME, "codex_get_turn_status"):
        waited = await session.settled(operation)
        payload = await session.payload("codex_get_turn_status", turn_id=waited["turnId"])
        demand(payload["turnId"] == waited["turnId"], f"{payload}")
    with check(NAME, "codex_wait that times out is no error"):
        operation = await session.submit("endless", "HANG")
        payload = await session.payload("codex_wait", operation_ids=[operation], mode="all", max_seconds=1)
        demand(payload["timedOut"] is True and payload["allEnded"] is False, f"{payload}")
    with check(NAME, "codex_interrupt_turn"):
        await running(session, operation)
        await session.payload("codex_interrupt_turn", operation_id=operation)
        await session.ends(operation, "interrupted")
    with check(NAME, "a failed turn is a good answer"):
        operation = await session.submit("failure", "FAIL 400")
        status = await session.ends(operation, "failed")
        demand(status["lastError"], f"{status}")


async def running(session, operation):
    """Until the turn of the operation is at work."""
    for _ in range(100):
        status = await session.status(operation)
        if status["status"] == "running":
            return
        await asyncio.sleep(0.1)
    demand(False, f"it does not run: {status}")


async def questions(session):
    with check(NAME, "an approval is listed and answered"):
        operation = await session.submit("approval", "ESCALATE true ;; SAY went on", sandbox="workspace-write")
        interaction = await session.question(operation)
        await session.answer(interaction, decision="decline")
        await session.ends(operation, "completed")
    with check(NAME, "a question is listed and answered"):
        operation = await session.submit("question", "ASK Which colour? ;; SAY went on")
        interaction = await session.question(operation)
        asked = interaction["params"]["questions"][0]["id"]
        await session.answer(interaction, answers={asked: "blue"})
        await session.ends(operation, "completed")
    with check(NAME, "an answer to an unknown interaction is an error result"):
        await session.refused(
            "codex_answer_pending_interaction", "CODEX_PENDING_INTERACTION_NOT_FOUND", interaction_id="int_nobodys", decision="accept"
        )


async def errors(session):
    with check(NAME, "codex_wait for an unknown id is an error result"):
        await session.refused("codex_wait", "INVALID_ARGUMENT", operation_ids=[NOBODYS_ID])
    with check(NAME, "an argument of the wrong type is an error result"):
        await session.refused("codex_wait", "INVALID_ARGUMENT", operation_ids="one")
    with check(NAME, "a missing argument is an error result"):
        await session.refused("codex_submit_task", "INVALID_ARGUMENT", message="SAY hello")
    with check(NAME, "an unknown tool is an error result"):
        await session.refused("codex_no_such_tool", "INVALID_ARGUMENT")
    with check(NAME, "calls side by side are each answered"):
        answers = await asyncio.gather(*(session.payload("codex_get_queue_status", limit=1 + n % 5) for n in range(20)))
        demand(len(answers) == 20, "an answer is missing")


async def main():
    # Anything that goes wrong outside a check, connecting and leaving above all, fails this one.
    with check(NAME, "connects and leaves"):
        async with asyncio.timeout(ALL_SECONDS_MAX):
            server = StdioServerParameters(command=SHIM)
            async with Client(server, mode=MODE, read_timeout_seconds=CALL_SECONDS_MAX) as client:
                session = Session(client)
                await first_look(session)
                await a_task(session)
                await questions(session)
                await errors(session)


require_python(3, 11)
asyncio.run(main())
