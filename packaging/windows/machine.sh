# A Windows machine for one run, under Wine: to be sourced by the scripts beside it. Sets up the target where that was not
# done, and makes a copy of its Wine prefix: services, registry and pipe names are the run's own, and two runs on one
# computer never meet. At the end everything in the copy is ended and the copy removed.
# It must never leave a process behind, or end one that does not belong to the copy.
#
# Afterwards: cargo builds for Windows, `wine-run` and `wine-stop` work on the copy, and
#   $programs   the folder that debug builds come into, under target/windows
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck disable=SC2034 # for whoever sources this
programs=$root/target/windows/x86_64-pc-windows-gnu/debug

bash "$root/packaging/windows/setup.sh"
# shellcheck disable=SC1091 # made by the set-up
. "${XDG_CACHE_HOME:-$HOME/.cache}/codexcp/windows-target/env.sh"

finished_prefix=$WINEPREFIX
WINEPREFIX=$(mktemp -d "${TMPDIR:-/tmp}/codexcp-windows-XXXXXX")
export WINEPREFIX PYTHONDONTWRITEBYTECODE=1

# shellcheck disable=SC2329 # called by the trap
leave_machine() {
    local code=$?
    trap - EXIT INT TERM
    wine-stop
    rm -rf "$WINEPREFIX"
    exit "$code"
}
trap leave_machine EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cp -a "$finished_prefix/." "$WINEPREFIX/"
