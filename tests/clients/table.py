"""Prints what `clients.sh` found as a table, one row a client: docs/clients.md keeps one.

Usage: table.py RESULTS HEARD. RESULTS holds a line `client NAME PACKAGE VERSION` for each, and the lines of the checks;
HEARD is a folder with what each client wrote to the server. It must never judge: a result is what a script printed.
"""

import json
import pathlib
import sys

STEPS = ["list", "submit", "wait", "status", "error"]
META_VERSION = "io.modelcontextprotocol/protocolVersion"


def spoken(path):
    """The version of the protocol that the client asked for; of two the one of its last message that names one."""
    version = "?"
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            params = json.loads(line).get("params") or {}
        except ValueError:
            continue
        version = params.get("_meta", {}).get(META_VERSION) or params.get("protocolVersion") or version
    return version


def row(name, package, version, results, heard):
    done = {}
    for line in results:
        verdict, _, rest = line.partition(" ")
        client, _, what = rest.partition(": ")
        if client == name and verdict in ("ok", "FAILED"):
            done[what if verdict == "ok" else what.partition(": ")[0]] = verdict
    more = [verdict for what, verdict in done.items() if what not in STEPS]
    # A step that did not come to be checked did not pass.
    steps = [done.get(step, "–") for step in STEPS]
    return [name, f"{package} {version}", spoken(heard / name), *steps, f"{more.count('ok')} of {len(more)}"]


def main():
    results = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    heard = pathlib.Path(sys.argv[2])
    clients = [line.split(" ")[1:4] for line in results if line.startswith("client ")]
    rows = [["client", "version", "protocol", *STEPS, "other checks"]]
    rows += [row(*client, results, heard) for client in clients]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    for cells in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |")


main()
