#!/usr/bin/env bash
# Drives `codexcp service` on Windows below Wine: the service through the service manager, and the start at login. With
# the real programs; no codex is needed. One Wine prefix is one machine: nothing else may install the service there now.
#
# Usage: service.sh FOLDER   (with codexcp.exe, codexcp-daemon.exe and codexcp-login.exe)
#
# Prints a line a check and at the end `N passed, M failed`; fails if one failed. Needs wine-run on PATH and WINEPREFIX set.
# What Wine does not show (who may log on as a service, restarts after a failure, shut-down) is not checked here.

set -euo pipefail
shopt -s inherit_errexit

readonly COMMAND_SECONDS_MAX=120 WAIT_SECONDS_MAX=60
readonly SECRET=not-a-real-password RUN='HKCU\Software\Microsoft\Windows\CurrentVersion\Run'
readonly APPROVED='HKCU\Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run'

[ $# -eq 1 ] || { echo "usage: service.sh FOLDER" >&2; exit 2; }
command -v wine-run >/dev/null || { echo "service.sh: wine-run is not on PATH" >&2; exit 2; }
bin=$(cd "$1" && pwd -P)
for one in codexcp codexcp-daemon codexcp-login; do
    [ -f "$bin/$one.exe" ] || { echo "service.sh: there is no $one.exe in $bin" >&2; exit 2; }
done
root=$(mktemp -d "${TMPDIR:-/tmp}/cxcp-service-XXXXXX")

wine() { timeout "$COMMAND_SECONDS_MAX" wine-run "$@" </dev/null | tr -d '\r'; }
codexcp() { wine "$bin/codexcp.exe" "$@"; }
windows() { printf 'Z:%s' "${1//\//\\}"; }

clean_up() {
    local code=$?
    trap - EXIT INT TERM
    set +e
    # Only what this script installed and started: it is for our home, and refused for another.
    codexcp service uninstall >/dev/null 2>&1
    CODEXCP_AUTOSTART=0 codexcp daemon stop --all >/dev/null 2>&1
    rm -rf "$root"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

passed=0 failed=0

# check WORDS COMMAND…: one line, and a count. A function fails with its first command that fails.
# Into a file: below Wine a daemon that a command starts keeps that command's stderr, and a pipe would not end.
check() {
    local words=$1 code
    shift
    set +e
    (set -e; "$@") >"$root/output" 2>&1
    code=$?
    set -e
    if [ "$code" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok $words"
    else
        failed=$((failed + 1))
        echo "FAILED $words"
        tail -n 20 "$root/output" | sed 's/^/    /'
    fi
}

# The value of a key in a line of JSON, without quotes.
value() {
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\)[\",}].*/\1/p" | head -n 1
}

state() { codexcp service status --json | value "$1"; }
is() { [ "$(state "$1")" = "$2" ] || { echo "$1 is $(state "$1"), not $2"; codexcp service status; return 1; }; }

wait_for() {
    local waited=0
    until "$@" >/dev/null 2>&1; do
        [ "$waited" -lt $((WAIT_SECONDS_MAX * 5)) ] || { echo "waited in vain for: $*"; return 1; }
        sleep 0.2
        waited=$((waited + 1))
    done
}

refuses() { # exit code, words, command…
    local wanted=$1 words=$2 code=0
    shift 2
    "$@" >"$root/said" 2>&1 || code=$?
    [ "$code" -eq "$wanted" ] || { echo "exit $code"; cat "$root/said"; return 1; }
    grep -qF -- "$words" "$root/said" || { echo "not said: $words"; cat "$root/said"; return 1; }
}

answers() { CODEXCP_AUTOSTART=0 codexcp list; }
in_service() { wine sc query codexcp | grep -F "$1"; }
run_value() { wine reg query "$RUN" /v codexcp | sed -n 's/.*REG_SZ[[:space:]]*//p'; }

refuses_another_home() {
    CODEXCP_HOME="$(windows "$root/other")"
    refuses 4 "is for the home" codexcp service install --at boot --account ".\\$account"
    refuses 4 "is for the home" codexcp service uninstall
}

# The daemon that answers is the one that the service manager started.
one_daemon() {
    local pid
    pid=$(state pid)
    # The machine of the gate may have no codex: the doctor says so, and here only the daemon matters.
    CODEXCP_AUTOSTART=0 codexcp doctor --json >"$root/said" || true
    grep -F "pid $pid\"" "$root/said"
}

password_is_nowhere() {
    wine reg query 'HKLM\SYSTEM\CurrentControlSet\Services\codexcp' /s >"$root/registry"
    grep -F -- --service "$root/registry"
    grep -F "ObjectName" "$root/registry" | grep -F "$account"
    if grep -rF "$SECRET" "$root"; then return 1; fi
}

stop_by_the_manager() {
    wine sc stop codexcp
    wait_for is running false
    state state | grep -F Stopped
    wait_for grep -rhF 'daemon stopped' "$root/a home/logs"
}

start_by_the_manager() {
    wine sc start codexcp
    wait_for is running true
    answers
}

stop_by_the_command() {
    CODEXCP_AUTOSTART=0 codexcp daemon stop
    wait_for is running false
}

broken_settings() {
    local code=0
    cp "$root/a home/config.toml" "$root/kept.toml"
    echo 'no_such_key = 1' >"$root/a home/config.toml"
    codexcp service install --at boot --account ".\\$account" >"$root/said" 2>&1 || code=$?
    cp "$root/kept.toml" "$root/a home/config.toml"
    [ "$code" -eq 1 ] && grep -F no_such_key "$root/said" || { cat "$root/said"; return 1; }
    codexcp service install --at boot --account ".\\$account"
    is running true
}

# What Windows does at a login.
login() {
    CODEXCP_AUTOSTART=0 codexcp daemon stop
    is running false
    printf '@echo off\r\n%s\r\n' "$(run_value)" >"$root/login.cmd"
    wine cmd /c "$(windows "$root/login.cmd")"
    wait_for is running true
    answers
}

switched_off() {
    wine reg add "$APPROVED" /v codexcp /t REG_BINARY /d 030000000000000000000000 /f
    is enabled false
    wine reg delete "$APPROVED" /v codexcp /f
    is enabled true
}

no_service() { if wine sc query codexcp | grep -F STATE; then return 1; fi; }
no_run_value() { if run_value | grep .; then return 1; fi; }

gone() {
    no_service
    no_run_value
}

shown_only() {
    codexcp service install --at boot --account ".\\$account" --print | grep -F ImagePath=
    gone
}

mkdir -p "$root/a home" "$root/projects"
printf "allowed_roots = ['%s']\n" "$(windows "$root/projects")" >"$root/a home/config.toml"
CODEXCP_HOME=$(windows "$root/a home")
account=$(wine cmd /c 'echo %USERNAME%')
export CODEXCP_HOME CODEXCP_SERVICE_PASSWORD=$SECRET
unset CODEXCP_DAEMON_PROGRAM

if [ "$(state installed)" != false ]; then
    echo "service.sh: a service is installed in this Wine prefix already" >&2
    trap - EXIT
    exit 2
fi
check "before: not installed" is installed false
check "without an account: a refusal that says what to do" refuses 4 "--account .\\NAME" codexcp service install --at boot
check "--print shows it and writes nothing" shown_only
check "still not installed" is installed false
check "install at boot, over a daemon that a command started" codexcp service install --at boot --account ".\\$account"
check "at boot" is at boot
check "enabled" is enabled true
check "running" is running true
check "the service manager says the same" in_service RUNNING
check "a request over the pipe is answered" answers
check "by the service's daemon" one_daemon
check "the password is written nowhere" password_is_nowhere
check "another home is refused" refuses_another_home
check "stopped by the service manager it ends in order" stop_by_the_manager
check "started by the service manager it answers" start_by_the_manager
check "stopped by the command it stays stopped" stop_by_the_command
check "settings that are broken are named by the install" broken_settings
check "uninstall" codexcp service uninstall
check "leaves nothing behind" gone
check "a second uninstall has nothing to do" refuses 0 "No service was installed" codexcp service uninstall
check "an account is refused at login" refuses 4 "--at boot" codexcp service install --account ".\\$account"
check "install at login" codexcp service install
check "at login" is at login
check "running already" is running true
check "what the Run key names starts it without anybody's help" login
check "a start-up app that is switched off is shown as such" switched_off
check "at boot takes the place of at login" codexcp service install --at boot --account ".\\$account"
check "the Run key is free" no_run_value
check "the service runs" is running true
check "at login takes the place of at boot" codexcp service install --at login
check "the service is gone" no_service
check "uninstall again" codexcp service uninstall
check "leaves nothing behind again" gone

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
