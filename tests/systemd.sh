#!/usr/bin/env bash
# Drives `codexcp service` and the daemon below a real systemd of a user: install, start by the socket, restarts and kills
# in the middle of a turn, a new login, uninstall. The systemd is one of its own, in namespaces and a control group of its
# own: this machine's is not touched, and everything ends with the script. logind is played by a file.
#
# Usage: systemd.sh CODEXCP DAEMON CODEX PROVIDER   (the paths of the four programs)
#
# Prints a line a check and at the end `N passed, M failed`; fails if one failed. Exits 77 where it cannot be run.
# Needs root, systemd 247 or newer, unshare, and a control group (version 2) that can be written to.

set -euo pipefail
shopt -s inherit_errexit

readonly WAIT_SECONDS_MAX=60 SCRIPT_SECONDS_MAX=500

cannot() {
    echo "systemd.sh: cannot run here: $1" >&2
    exit 77
}

program() {
    if [ ! -x "$1" ] || [ -d "$1" ]; then
        echo "systemd.sh: $1 is no program" >&2
        exit 2
    fi
    echo "$(cd "$(dirname "$1")" && pwd -P)/$(basename "$1")"
}

# --- Outside: a control group and namespaces, and this script again inside them.

outside() {
    [ $# -eq 4 ] || { echo "usage: systemd.sh CODEXCP DAEMON CODEX PROVIDER" >&2; exit 2; }
    local codexcp daemon codex provider top group code=0
    codexcp=$(program "$1") daemon=$(program "$2") codex=$(program "$3") provider=$(program "$4")
    [ "$(id -u)" -eq 0 ] || cannot "it needs root for its namespaces"
    systemd=$(command -v /usr/lib/systemd/systemd || command -v /lib/systemd/systemd) || cannot "there is no systemd"
    command -v unshare >/dev/null || cannot "there is no unshare"
    top=/sys/fs/cgroup
    [ "$(stat -fc %T "$top")" = cgroup2fs ] || top=/sys/fs/cgroup/unified
    group=$top$(sed -n 's/^0:://p' /proc/self/cgroup)/codexcp-test-$$
    mkdir "$group" 2>/dev/null || cannot "no control group can be made in $top"
    root=$(mktemp -d "${TMPDIR:-/tmp}/cxcp-systemd-XXXXXX")
    # The namespace of processes ends all of them when its first one ends.
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec timeout "$SCRIPT_SECONDS_MAX" unshare --mount --cgroup --pid --fork --kill-child --mount-proc --propagation private \
            bash "${BASH_SOURCE[0]}" --inside "$systemd" "$root" "$codexcp" "$daemon" "$codex" "$provider"
    ) || code=$?
    rm -rf "$root"
    find "$group" -depth -type d -exec rmdir {} + || true
    exit "$code"
}

# --- Inside.

passed=0 failed=0

# check WORDS COMMAND…: one line, and a count. A function fails with its first command that fails.
check() {
    local words=$1 said code
    shift
    set +e
    said=$(set -e; "$@" 2>&1)
    code=$?
    set -e
    if [ "$code" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok $words"
    else
        failed=$((failed + 1))
        echo "FAILED $words"
        printf '%s\n' "$said" | tail -n 20 | sed 's/^/    /'
    fi
}

# Until the command succeeds.
wait_for() {
    local waited=0
    until "$@" >/dev/null 2>&1; do
        [ "$waited" -lt $((WAIT_SECONDS_MAX * 10)) ] || { echo "waited in vain for: $*"; return 1; }
        sleep 0.1
        waited=$((waited + 1))
    done
}

# The value of a key in a line of JSON, without quotes.
value() {
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\)[\",}].*/\1/p" | head -n 1
}

state() { "$codexcp" service status --json | value "$1"; }
is() { [ "$(state "$1")" = "$2" ] || { echo "$1 is $(state "$1"), not $2"; "$codexcp" service status; return 1; }; }
daemon_pid() { state pid; }
runs_anew() {
    local now
    now=$(daemon_pid)
    [ "$now" != null ] && [ "$now" != "$1" ] && is running true
}
provider_asked() { [ "$(grep -c . "$root/provider.ndjson")" -ge "$1" ]; }
release() {
    exec 9<>"/dev/tcp/127.0.0.1/$port"
    printf 'POST /control/release/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$1" >&9
    cat <&9 >/dev/null
    exec 9>&-
}
app_server() { "$codexcp" doctor --json | tr '{' '\n' | sed -n 's/.*app[ _]server.*pid \([0-9][0-9]*\).*/\1/p' | head -n 1; }
written() { (cd "$HOME" && find .config -type f -o -type l | sort); }
said() { grep -qF -- "$1" "$root/said" || { echo "not said: $1"; cat "$root/said"; return 1; }; }

start_systemd() {
    # What a login gives; the rest must come from the unit.
    env -i PATH=/usr/bin:/bin HOME="$HOME" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" "$systemd" --user --log-target=console >>"$root/systemd.log" 2>&1 &
    echo $! >"$root/systemd.pid"
    wait_for systemctl --user show --property=Version
}

# A turn that is held; prints the operation's id.
held_turn() {
    local before id
    before=$(grep -c . "$root/provider.ndjson" || true)
    id=$("$codexcp" run "HOLD $1 the report of $1" --cwd "$HOME/projects/shop" --detach --json | value operationId)
    wait_for provider_asked $((before + 1))
    echo "$id"
}

turn_completes() {
    release "$1"
    "$codexcp" wait "$2" --timeout "$WAIT_SECONDS_MAX"
    "$codexcp" show "$2" --json | grep -F "the report of $1"
    # A second turn would be a second prompt of this text.
    [ "$(grep -c "HOLD $1 " "$root/provider.ndjson")" -eq 1 ] || { echo "the model was asked more than once"; return 1; }
}

same_app_server() {
    [ "$(app_server)" = "$1" ] || { echo "another app-server: $(app_server), not $1"; return 1; }
}

restart_in_a_turn() {
    local id before server
    id=$(held_turn restart) before=$(daemon_pid) server=$(app_server)
    systemctl --user restart codexcp.service
    runs_anew "$before"
    turn_completes restart "$id"
    same_app_server "$server"
}

kill_in_a_turn() {
    local id before server
    id=$(held_turn kill) before=$(daemon_pid) server=$(app_server)
    kill -KILL "$before"
    # Nobody calls; systemd alone starts the next one.
    wait_for runs_anew "$before"
    turn_completes kill "$id"
    same_app_server "$server"
}

stop_in_a_turn() {
    local id server
    id=$(held_turn stop) server=$(app_server)
    "$codexcp" daemon stop
    is running false
    turn_completes stop "$id"
    is running true
    same_app_server "$server"
}

nobody_is_refused() {
    local pids=() pid
    for _ in 1 2 3; do
        for _ in 1 2 3 4 5; do
            "$codexcp" list &
            pids+=($!)
        done
        systemctl --user restart codexcp.service
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
}

new_login() {
    local login
    login=$(cat "$root/systemd.pid")
    kill "$login"
    wait_for gone "$login"
    test ! -e "$CODEXCP_HOME/run/d.sock"
    start_systemd
    wait_for is running true
}
gone() { ! kill -0 "$1"; }

# A configuration that no daemon starts with: the caller must learn why, and mending it must be enough.
broken_settings() {
    systemctl --user stop codexcp.service
    mv "$CODEXCP_HOME/config.toml" "$CODEXCP_HOME/kept.toml"
    echo 'no_such_key = 1' >"$CODEXCP_HOME/config.toml"
    refuses 5 "no_such_key" env -u CODEXCP_AUTOSTART "$codexcp" list
    mv "$CODEXCP_HOME/kept.toml" "$CODEXCP_HOME/config.toml"
    "$codexcp" service install
    is running true
    "$codexcp" list
}

shown_only() {
    "$codexcp" service install --print | grep ListenStream=
    nothing_written
}

nothing_written() { [ "$(written)" = "$before" ] || { written; return 1; }; }
unknown() { ! systemctl --user list-unit-files --no-pager | grep codexcp; }

of_this_home() {
    local pid
    pid=$(daemon_pid)
    readlink "/proc/$pid/exe" | grep -xF "$daemon"
    tr '\0' '\n' <"/proc/$pid/environ" | grep -xF "CODEXCP_HOME=$CODEXCP_HOME"
}

# Words about units of others are none of our business.
well_formed() {
    local said
    said=$(systemd-analyze --user --man=no verify "$HOME"/.config/systemd/user/codexcp.service "$HOME"/.config/systemd/user/codexcp.socket 2>&1)
    case $said in *codexcp*) echo "$said"; return 1 ;; esac
}

refuses() { # exit code, words, command…
    local wanted=$1 words=$2 code=0
    shift 2
    "$@" >"$root/said" 2>&1 || code=$?
    [ "$code" -eq "$wanted" ] || { echo "exit $code"; cat "$root/said"; return 1; }
    said "$words"
}

lingers() { [ "$(cat "$root/linger")" = "$1" ] || { echo "linger is $(cat "$root/linger"), not $1"; return 1; }; }

boot() {
    "$codexcp" service install --at boot
    is at boot
    lingers yes
    "$codexcp" service install --at login
    is at login
    lingers no
    "$codexcp" service install --at boot
    "$codexcp" service uninstall
    lingers no
    # One who lingered before goes on to.
    echo yes >"$root/linger"
    "$codexcp" service install --at boot
    "$codexcp" service uninstall
    lingers yes
}

inside() {
    systemd=$1 root=$2 codexcp=$3 daemon=$4 codex=$5 provider=$6
    mount -t cgroup2 none /sys/fs/cgroup || cannot "the control groups cannot be mounted"
    mkdir -p /run/systemd
    mount -t tmpfs none /run/systemd
    mkdir /run/systemd/system

    # A path with all that has a meaning in a unit file.
    export HOME="$root/user" CODEXCP_HOME="$root/a home 50%h\$HOME\"q\\z"
    export CODEX_HOME="$root/codex" CODEX_BINARY_PATH="$codex" CODEXCP_DAEMON_PROGRAM="$daemon" XDG_RUNTIME_DIR="$root/run"
    unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME XDG_CACHE_HOME DBUS_SESSION_BUS_ADDRESS
    mkdir -p "$HOME/.config" "$HOME/projects/shop" "$CODEXCP_HOME" "$CODEX_HOME" "$root/bin"
    mkdir -m 700 "$XDG_RUNTIME_DIR"
    printf 'allowed_roots = ["%s"]\n' "$HOME/projects" >"$CODEXCP_HOME/config.toml"
    # logind needs a whole machine. This stands for it: one word in a file.
    cat >"$root/bin/loginctl" <<LOGINCTL
#!/bin/sh
case \$1 in
enable-linger) echo yes >"$root/linger" ;;
disable-linger) echo no >"$root/linger" ;;
show-user) cat "$root/linger" ;;
esac
LOGINCTL
    chmod +x "$root/bin/loginctl"
    echo no >"$root/linger"
    PATH=$root/bin:$PATH

    "$provider" --log "$root/provider.ndjson" --config "$CODEX_HOME/config.toml" >"$root/provider.out" 2>&1 </dev/null &
    touch "$root/provider.ndjson"
    wait_for grep -q '^listening on ' "$root/provider.out"
    port=$(sed -n 's/^listening on .*:\([0-9]*\).*/\1/p' "$root/provider.out")
    before=$(written)

    check "without a systemd of the user: a sentence that says what to do" refuses 1 "XDG_RUNTIME_DIR" "$codexcp" service install
    check "and nothing is written" nothing_written
    start_systemd
    check "before: not installed" is installed false
    "$codexcp" daemon start >/dev/null
    check "--print shows the units and writes nothing" shown_only
    check "install over a daemon that a command started" "$codexcp" service install
    # From here on nothing but systemd starts a daemon.
    export CODEXCP_AUTOSTART=0
    check "installed" is installed true
    check "enabled" is enabled true
    check "running" is running true
    check "it is the daemon of this home" of_this_home
    check "systemd finds nothing wrong with the units" well_formed
    check "a turn goes on over systemctl restart" restart_in_a_turn
    check "a turn goes on over a killed daemon, which systemd starts again" kill_in_a_turn
    check "a stopped daemon stays stopped until somebody calls" stop_in_a_turn
    check "while it restarts nobody is refused" nobody_is_refused
    check "another home is refused" refuses 4 "is for the home" env CODEXCP_HOME="$root/other" "$codexcp" service install
    check "and its uninstall too" refuses 4 "is for the home" env CODEXCP_HOME="$root/other" "$codexcp" service uninstall
    check "after a new login it runs before anybody calls" new_login
    check "settings that are broken are named, and mending them is enough" broken_settings
    check "install again is well" "$codexcp" service install --at login
    id=$(held_turn uninstall)
    check "uninstall" "$codexcp" service uninstall
    check "leaves nothing behind" nothing_written
    check "is not known to systemd any more" unknown
    check "a second uninstall has nothing to do" refuses 0 "No service was installed" "$codexcp" service uninstall
    unset CODEXCP_AUTOSTART
    check "the turn went on meanwhile, and the next call starts a daemon as ever" turn_completes uninstall "$id"
    "$codexcp" daemon stop --all >/dev/null
    check "--at boot switches linger on, and off again where it was off" boot
    printf '[Unit]\n' >"$HOME/.config/systemd/user/codexcp.service"
    check "a unit of somebody else is not touched" refuses 4 "was not written by" "$codexcp" service install
    check "and is still there" grep -qx '\[Unit\]' "$HOME/.config/systemd/user/codexcp.service"
    check "without systemctl: a sentence that says what to do" refuses 1 "no systemd" env PATH="$root/bin" "$codexcp" service install

    echo "$passed passed, $failed failed"
    if [ "$failed" -ne 0 ]; then
        tail -n 60 "$root/systemd.log" >&2
        return 1
    fi
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
else
    outside "$@"
fi
