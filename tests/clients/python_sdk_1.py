"""Drives the server with the Python SDK 1.x, which knows the older handshake only.

Usage: python_sdk_1.py NAME SHIM PROJECT, with the Python that has the SDK.
The SDK checks structured content against the schema of the tool and throws where it does not fit.
"""

import asyncio
import datetime
import sys

from checks import READS, check, demand, demand_tools, main_job, require_python
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

NAME, SHIM, PROJECT = sys.argv[1:4]
VERSION = "2025-11-25"
CALL_MAX = datetime.timedelta(seconds=50)


async def main():
    # Anything that goes wrong outside a check, connecting and leaving above all, fails this one.
    with check(NAME, "connects and leaves"):
        async with (
            stdio_client(StdioServerParameters(command=SHIM)) as (read, write),
            ClientSession(read, write, read_timeout_seconds=CALL_MAX) as session,
        ):
            hello = await session.initialize()
            with check(NAME, f"speaks {VERSION}"):
                demand(hello.protocolVersion == VERSION, f"it speaks {hello.protocolVersion}")
            with check(NAME, "list"):
                listed = await session.list_tools()
                demand_tools([tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed.tools])
            for step in main_job(NAME, PROJECT):
                with check(NAME, step.name):
                    result = await session.call_tool(step.tool, step.arguments)
                    step.judge(result.isError, result.structuredContent, result.content[0].text)
            for tool in READS:
                with check(NAME, tool):
                    result = await session.call_tool(tool, {})
                    demand(not result.isError and result.structuredContent["ok"] is True, f"{result.structuredContent}")
            with check(NAME, "ping"):
                await session.send_ping()


require_python(3, 11)
asyncio.run(main())
