#!/usr/bin/env bash
# Makes what the Windows gate needs on Debian 12 or 13 (amd64): a Rust compiler with std for x86_64-pc-windows-gnu, and a
# Wine prefix that runs what it builds. Everything comes from the main and security suites of Debian.
# It must never replace a Rust that is installed, write outside the prefix but through apt-get, or change a Wine prefix
# that is not its own.
#
# Usage: setup.sh [--prefix DIR]     (default: codexcp/windows-target in the user's cache folder)
#
# Afterwards `. DIR/env.sh`. A second run finds all done and returns at once. To renew it, remove DIR and run this again.
# Needs root or sudo for apt-get where a package is missing.

set -euo pipefail

readonly TARGET=x86_64-pc-windows-gnu
readonly APT_SECONDS_MAX=900 STD_SECONDS_MAX=900 WINE_SECONDS_MAX=180
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
prefix=${XDG_CACHE_HOME:-$HOME/.cache}/codexcp/windows-target

if [ $# -eq 2 ] && [ "$1" = --prefix ]; then
    prefix=$2
elif [ $# -ne 0 ]; then
    echo "usage: setup.sh [--prefix DIR]" >&2
    exit 2
fi

say() { echo "windows target: $*"; }
fail() {
    echo "windows target: $*" >&2
    exit 1
}

case $(dpkg --print-architecture 2>/dev/null) in
amd64) ;;
*) fail "only Debian on amd64 is known here; build on Windows itself elsewhere" ;;
esac
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd -P)
# Two at once would build the same thing over each other. Wine's server outlives this script, so it must not inherit it.
exec 9>"$prefix/lock"
flock 9

# As root, and so also where apt's own user may not look into a home folder; signatures are checked all the same.
apt() {
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive timeout "$APT_SECONDS_MAX" \
        apt-get -qq -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root "$@" >/dev/null
}

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | grep -cx installed)" -eq $# ]
}

# --- The packages. The Rust ones are not among them: installed, they would take the place of another Rust.

packages=(gcc libc6-dev patchelf ca-certificates gcc-mingw-w64-x86-64-win32 wine wine64)
if ! installed "${packages[@]}"; then
    say "installing ${packages[*]}"
    apt update
    apt install --no-install-recommends "${packages[@]}"
fi

# --- The compiler: Debian's rustc-web, unpacked into the prefix, with the std of its own sources.

# Into a folder that gets its name when it is whole.
make_compiler() {
    local work=$prefix/rust.new version minor needs program library std object
    rm -rf "$work"
    mkdir -p "$work/debs" "$work/std/src" "$work/cargo"

    version=$(apt-cache policy rustc-web | sed -n 's/^ *Candidate: //p')
    case $version in
    '' | '(none)') fail "apt knows no rustc-web; enable the main and security suites and run apt-get update" ;;
    esac
    minor=$(cut -d. -f1,2 <<<"$version")
    say "unpacking rustc-web $version"
    (cd "$work/debs" && apt download \
        rustc-web "libstd-rust-web-$minor" libstd-rust-web-dev rust-web-src cargo-web rust-web-clippy)
    # The libraries of others that they need are no one's rivals and are installed.
    needs=$(for deb in "$work"/debs/*.deb; do dpkg-deb -f "$deb" Depends; done |
        tr ',' '\n' | sed 's/^ *//' | grep '^lib' | grep -v '^libstd-rust-web' | sort -u | paste -sd,)
    apt satisfy --no-install-recommends "$needs"
    for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work"; done
    # They look for their driver where the package would have put it.
    # shellcheck disable=SC2016 # the loader knows $ORIGIN
    for program in cargo rustc clippy-driver cargo-clippy; do
        patchelf --force-rpath --set-rpath '$ORIGIN/../lib/x86_64-linux-gnu' "$work/usr/bin/$program"
    done

    say "building std for $TARGET"
    library=$(readlink -f "$work/usr/lib/rustlib/src/rust/library")
    cat >"$work/std/Cargo.toml" <<'END'
[package]
name = "only_std"
version = "0.0.0"
edition = "2024"

[workspace]
END
    echo '#![no_std]' >"$work/std/src/lib.rs"
    # Bitcode, so that a release with link-time optimisation can use it.
    (cd "$work/std" && timeout "$STD_SECONDS_MAX" env -i PATH="$work/usr/bin:/usr/bin:/bin" HOME="$work" CARGO_HOME="$work/cargo" \
        RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
        cargo build --quiet --offline --release --target "$TARGET" -Zbuild-std=std,panic_unwind,panic_abort,proc_macro,test \
        --config 'source.crates-io.replace-with="vendored"' --config "source.vendored.directory=\"$library/vendor\"")
    std=$work/usr/lib/rustlib/$TARGET/lib
    mkdir -p "$std"
    cp "$work/std/target/$TARGET"/release/deps/*.rlib "$std/"
    rm "$std"/libonly_std-*.rlib
    # What MinGW's linker puts around every program of this target.
    for object in rsbegin rsend; do
        RUSTC_BOOTSTRAP=1 "$work/usr/bin/rustc" --target "$TARGET" --emit=obj -o "$std/$object.o" "$library/rtstartup/$object.rs"
    done
    # The sources have done their work, and are most of the size.
    rm -rf "$work/usr/src" "$work/usr/lib/rustlib/src"
    mv "$work/usr" "$prefix/rust"
    rm -rf "$work"
}

# --- Wine, with two repairs.

# Until Wine 10 std's File::unlock always fails: it unlocks until it is told that nothing is locked, and the server says
# "lock conflict" (C0000054) where Windows says "range not locked" (C000007E). The place is where both the server's and
# the client's error are set at the end of a function. A server that is not like that is taken as it is: the smoke
# program decides.
make_wineserver() {
    mkdir -p "$prefix/libexec"
    perl -0777 -pe '
        s/(\xc7\x05....)\x54\x00\x00\xc0(\x48\x85\xc0\x74\x0a\xc7\x80....)\x54\x00\x00\xc0(?=\xc3)/$1\x7e\x00\x00\xc0$2\x7e\x00\x00\xc0/s
    ' /usr/lib/wine/wineserver64 >"$prefix/libexec/wineserver.new"
    chmod 755 "$prefix/libexec/wineserver.new"
    mv "$prefix/libexec/wineserver.new" "$prefix/libexec/wineserver"
}

# Every Rust program takes its first random bytes from bcryptprimitives.dll, which Wine 8 does not have.
make_wine_prefix() {
    local new=$prefix/wine.new system32=$prefix/wine.new/drive_c/windows/system32
    say "making a Wine prefix"
    rm -rf "$new"
    mkdir -p "$new"
    (
        export WINEPREFIX=$new
        timeout "$WINE_SECONDS_MAX" "$prefix/bin/wine-run" wineboot -i
        # Wine 8 calls itself Windows 7 otherwise.
        timeout "$WINE_SECONDS_MAX" "$prefix/bin/wine-run" winecfg -v win10
        "$prefix/bin/wine-stop"
    ) 9>&- </dev/null >"$prefix/wine.log" 2>&1 || fail "Wine could not make a prefix; see $prefix/wine.log"
    if [ ! -f "$system32/bcryptprimitives.dll" ]; then
        x86_64-w64-mingw32-gcc -O2 -shared -s -o "$system32/bcryptprimitives.dll" "$here/bcryptprimitives.c" -ladvapi32
    fi
    mv "$new" "$prefix/wine"
}

# --- What others use: they name the prefix, so it stays where it was made.

make_scripts() {
    mkdir -p "$prefix/bin"
    cat >"$prefix/env.sh" <<END
# To be sourced, in a subshell: cargo and rustc with $TARGET, its linker, and Wine as its runner.
export PATH="$prefix/rust/bin:$prefix/bin:\$PATH"
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER="$prefix/bin/wine-run"
export CC_x86_64_pc_windows_gnu=x86_64-w64-mingw32-gcc AR_x86_64_pc_windows_gnu=x86_64-w64-mingw32-ar
export WINEPREFIX="\${WINEPREFIX:-$prefix/wine}" WINEARCH=win64
# Neither Wine's own messages nor its offers to download .NET and a browser.
export WINEDEBUG="\${WINEDEBUG:--all}" WINEDLLOVERRIDES="\${WINEDLLOVERRIDES:-mscoree,mshtml=}"
END
    cat >"$prefix/bin/wine-run" <<END
#!/bin/sh
# wine-run PROGRAM.exe [ARGUMENT...]: runs it in the Wine prefix of this folder, under its repaired server.
# Never \`wine\` alone: that would start the server as it was.
. "$prefix/env.sh"
# A server that has to be started (0; 2: there is one) brings up Wine's services. They must not inherit our output:
# whoever reads that to its end would wait for them.
if "$prefix/libexec/wineserver" -p60 >/dev/null 2>&1; then
    wine cmd /c exit </dev/null >/dev/null 2>&1
fi
exec wine "\$@"
END
    cat >"$prefix/bin/wine-stop" <<END
#!/bin/sh
# wine-stop: ends everything in the Wine prefix of this folder, and waits for it.
. "$prefix/env.sh"
"$prefix/libexec/wineserver" -k >/dev/null 2>&1
"$prefix/libexec/wineserver" -w >/dev/null 2>&1
exit 0
END
    chmod 755 "$prefix/bin/wine-run" "$prefix/bin/wine-stop"
}

# --- Proof that compiler, linker, Wine and both repairs work together.

smoke() {
    local work=$prefix/smoke.new said
    rm -rf "$work"
    mkdir "$work"
    "$prefix/rust/bin/rustc" --edition 2024 --target "$TARGET" -C linker=x86_64-w64-mingw32-gcc -o "$work/smoke.exe" "$here/smoke.rs"
    said=$(timeout "$WINE_SECONDS_MAX" "$prefix/bin/wine-run" "$work/smoke.exe" 9>&- </dev/null 2>&1 | tr -d '\r') || true
    "$prefix/bin/wine-stop"
    [ "$said" = "windows: all well" ] || fail "the smoke program failed: ${said:-nothing was said; run it with WINEDEBUG=err+all}"
    mv "$work/smoke.exe" "$prefix/smoke.exe"
    rm -rf "$work"
}

[ -d "$prefix/rust" ] || make_compiler
make_scripts
[ -x "$prefix/libexec/wineserver" ] || make_wineserver
[ -d "$prefix/wine" ] || make_wine_prefix
[ -f "$prefix/smoke.exe" ] || smoke
say "ready: . $prefix/env.sh"
