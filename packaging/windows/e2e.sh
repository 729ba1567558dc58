#!/usr/bin/env bash
# One whole task on Windows, under Wine: shim, daemon and the real codex.exe with a scripted model on loopback, and the
# daemon killed in the middle of the turn. Builds the programs, fetches codex.exe once with npm (187 MB, 383 MB unpacked)
# into the user's cache folder. What it prints is kept in docs/windows.md.
# It must never need a login, or end a process of anybody else.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=machine.sh
. packaging/windows/machine.sh

# The oldest that is supported, as the programs name it.
VERSION=$(sed -n 's/^pub const OLDEST: Version = (\([0-9]*\), \([0-9]*\), \([0-9]*\));/\1.\2.\3/p' common/src/codex.rs)
readonly VERSION
readonly CODEX=@openai/codex@$VERSION-win32-x64
readonly FETCH_SECONDS_MAX=900 BUILD_SECONDS_MAX=2400 RUN_SECONDS_MAX=900
cache=${XDG_CACHE_HOME:-$HOME/.cache}/codexcp/codex-$VERSION-win32-x64
codex=$cache/package/vendor/x86_64-pc-windows-msvc/bin/codex.exe

if [ ! -f "$codex" ]; then
    echo "fetching $CODEX with npm into $cache (once)"
    rm -rf "$cache.new"
    mkdir -p "$cache.new"
    (cd "$cache.new" && timeout --foreground "$FETCH_SECONDS_MAX" npm pack --silent "$CODEX" >/dev/null && tar -xzf ./*.tgz && rm ./*.tgz)
    rm -rf "$cache"
    mv "$cache.new" "$cache"
fi

export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
timeout --foreground "$BUILD_SECONDS_MAX" cargo build --quiet --workspace --target x86_64-pc-windows-gnu --target-dir target/windows --locked
timeout --foreground "$RUN_SECONDS_MAX" python3 packaging/windows/e2e.py "$programs" "$codex"
