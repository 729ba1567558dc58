"""Drives the server with fastmcp: its command `fastmcp list`, and its client for the calls.

Usage: fastmcp_client.py NAME SHIM PROJECT FOLDER, with the Python that has fastmcp; FOLDER is its environment.
The client builds types from the schemas of the tools and reads structured content into them.
"""

import asyncio
import json
import subprocess
import sys

from checks import READS, check, demand, demand_tools, main_job, require_python
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

NAME, SHIM, PROJECT, FOLDER = sys.argv[1:5]
RUN_SECONDS_MAX = 60
CALL_SECONDS_MAX = 50


def list_by_command():
    command = [f"{FOLDER}/bin/fastmcp", "list", "--command", SHIM, "--json"]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    demand(ran.returncode == 0, f"exit {ran.returncode}: {ran.stderr}")
    demand_tools(json.loads(ran.stdout)["tools"], annotated=False)


async def main():
    with check(NAME, "list"):
        list_by_command()
    with check(NAME, "connects and leaves"):
        async with Client(StdioTransport(SHIM, []), timeout=CALL_SECONDS_MAX) as client:
            with check(NAME, "lists the tools with their annotations"):
                demand_tools([tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in await client.list_tools()])
            for step in main_job(NAME, PROJECT):
                with check(NAME, step.name):
                    result = await client.call_tool(step.tool, step.arguments, raise_on_error=False)
                    step.judge(result.is_error, result.structured_content, result.content[0].text)
            for tool in READS:
                with check(NAME, f"{tool}, read into a type made from its schema"):
                    result = await client.call_tool(tool, {})
                    demand(result.data is not None and result.data.ok is True, f"{result.data!r}")


require_python(3, 11)
asyncio.run(main())
