#!/usr/bin/env bash
# The Windows part of the gate, on Debian: clippy and build for x86_64-pc-windows-gnu, then under Wine the unit tests, the
# real programs over the named pipe, and the service through the service manager.
# What Wine does not show is in docs/windows.md. It must never use the Rust or the target folder of the Linux part.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=machine.sh
. packaging/windows/machine.sh

readonly STEP_SECONDS_MAX=2400 RUN_SECONDS_MAX=600
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
for_windows=(--target x86_64-pc-windows-gnu --target-dir target/windows --locked)

# One step; says how long it took.
step() { # what, command...
    local what=$1 began=$SECONDS
    shift
    echo "== Windows: $what"
    "$@"
    echo "   ($((SECONDS - began)) s)"
}

step clippy timeout --foreground "$STEP_SECONDS_MAX" cargo clippy --quiet --workspace --all-targets "${for_windows[@]}" -- -D warnings
step build timeout --foreground "$STEP_SECONDS_MAX" cargo build --quiet --workspace "${for_windows[@]}"
step "unit tests" timeout --foreground "$STEP_SECONDS_MAX" cargo test --quiet --workspace --lib "${for_windows[@]}"
step "the programs over the named pipe" timeout --foreground "$RUN_SECONDS_MAX" python3 packaging/windows/pipes.py "$programs"
if [ -f packaging/windows/service.sh ]; then
    step "the service" timeout --foreground "$RUN_SECONDS_MAX" bash packaging/windows/service.sh "$programs"
fi
