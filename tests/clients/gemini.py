"""Asks Gemini's command line for its list of servers. It connects and pings; tools it asks for only with a login.

Usage: gemini.py NAME SHIM PROJECT FOLDER; FOLDER is where npm installed it, HOME is a folder of its own.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

from checks import check, demand, require_python

NAME, SHIM, _PROJECT, FOLDER = sys.argv[1:5]
RUN_SECONDS_MAX = 60
SERVER = "codex-control-plane"


def settle(home):
    """Its settings, with a folder that it trusts: in any other it switches all servers off."""
    settings = home / ".gemini"
    settings.mkdir(exist_ok=True)
    quiet = {"privacy": {"usageStatisticsEnabled": False}, "general": {"enableAutoUpdate": False}}
    (settings / "settings.json").write_text(json.dumps({"mcpServers": {SERVER: {"command": SHIM}}, **quiet}), encoding="utf-8")
    (settings / "trustedFolders.json").write_text(json.dumps({str(home): "TRUST_FOLDER"}), encoding="utf-8")


def main():
    home = pathlib.Path(os.environ["HOME"])
    settle(home)
    with check(NAME, "mcp list says Connected"):
        ran = subprocess.run(
            [f"{FOLDER}/node_modules/.bin/gemini", "mcp", "list"],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # the list is on stderr
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        demand(ran.returncode == 0, f"exit {ran.returncode}: {ran.stdout}")
        demand(re.search(rf"^\S* *{SERVER}: .* - Connected$", ran.stdout, re.MULTILINE), ran.stdout)


require_python(3, 11)
main()
