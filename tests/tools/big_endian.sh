#!/bin/bash
# Run the unit tests big-endian, as PASE on POWER is: built for powerpc64-unknown-linux-gnu, run under qemu.
#
#     tests/tools/big_endian.sh [FILTER...]        (arguments go to the test program: a test's name, --list, ...)
#
# rustup has no finished standard library for this target, so Debian's packages do it: a compiler with the sources of its
# standard library, the cross linker and C library, and qemu. They are unpacked below target/big-endian (about 700 MB),
# not installed: nothing on the machine changes. Needs Debian 12, apt, a C compiler and crates.io; root only when the
# package lists are missing or stale and `apt-get update` has to run. A finished tree is used again; delete it to fetch
# again. Only `cargo test --lib`: the integration tests start the program by its path, which the kernel cannot run here.
set -euo pipefail
export LC_ALL=C

die() { echo "big_endian: $*" >&2; exit 1; }

project=$(cd "$(dirname "$0")/../.." && pwd)
home=$project/target/big-endian
root=$home/root
target=powerpc64-unknown-linux-gnu

for tool in apt-get apt-cache dpkg dpkg-deb ldd flock tar cc; do
    command -v "$tool" >/dev/null || die "$tool is missing; this needs a Debian 12 system with a C compiler"
done
# Without it two tests would pass after comparing nothing.
printf '\xC1' | iconv -f IBM037 -t UTF-8 >/dev/null || die "no iconv with EBCDIC here; the code pages are compared with it"
case $home in *[[:space:]]*) die "the path '$home' has a blank in it, which cargo's settings cannot hold" ;; esac
arch=$(dpkg --print-architecture)
case $arch in
    amd64) triplet=x86_64-linux-gnu ;;
    arm64) triplet=aarch64-linux-gnu ;;
    *) die "architecture $arch is not known here; add its library folder name to this script" ;;
esac

# ---- fetch and unpack --------------------------------------------------------------------------------------------------

seeds="rustc-web cargo-web rust-web-src qemu-user-static gcc-powerpc64-linux-gnu libc6-dev-ppc64-cross"
# What to take along of all that the seeds depend on: the rest every Debian 12 with a C compiler has.
wanted='^(libllvm[0-9]+|libstd-rust-web.*|libgit2-.*|libhttp-parser.*|libmbed.*|.*-powerpc64-linux-gnu.*|(libc6|libgcc|linux-libc|libatomic).*-ppc64-cross)$'
needed_rustc=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$project/Cargo.toml")
[ -n "$needed_rustc" ] || die "Cargo.toml has no rust-version"

candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([^(].*\)$/\1/p'; }

lists_suffice() {
    local package
    for package in $seeds; do [ -n "$(candidate "$package")" ] || return 1; done
    dpkg --compare-versions "$(candidate rustc-web)" ge "$needed_rustc"
}

update_lists() {
    [ "$(id -u)" = 0 ] || die "$1; run 'apt-get update' as root, then this again"
    apt-get -q update >"$home/.apt" 2>&1 || { cat "$home/.apt" >&2; die "apt-get update failed"; }
}

# The seeds and the wanted packages they depend on, directly or not, one a line.
closure() {
    local todo=$seeds all=
    while [ -n "$todo" ]; do
        all="$all $todo"
        todo=$(apt-cache --no-all-versions show $todo | sed -n 's/^\(Pre-\)\?Depends: //p' | tr ',|' '\n\n' \
            | sed 's/^ *//; s/[ :(].*//' | { grep -E "$wanted" || true; } | sort -u \
            | { grep -vxF "$(printf '%s\n' $all)" || true; })
    done
    printf '%s\n' $all
}

download() { # The sandbox user _apt may not be allowed to write below a checkout.
    rm -rf "$home/debs"
    mkdir "$home/debs"
    (cd "$home/debs" && apt-get -q -o APT::Sandbox::User=root download $(closure)) >"$home/.apt" 2>&1
}

fetch() {
    echo "big_endian: fetching compiler, linker and emulator to $root (240 MB)"
    rm -rf "$root" "$root.new" "$home/.complete"
    mkdir "$root.new"
    if ! lists_suffice; then
        update_lists "apt knows no rustc-web of version $needed_rustc or newer, or not its companions"
        lists_suffice || die "apt has not all of: $seeds, with rustc-web $needed_rustc or newer (is this Debian 12 with its security updates?)"
    fi
    # A stale list names files that the server has no more.
    download || { update_lists "apt-get download failed"; download || { cat "$home/.apt" >&2; die "apt-get download failed"; }; }
    local deb
    for deb in "$home"/debs/*.deb; do
        case $(basename "$deb") in
            qemu-user-static_*) set -- ./usr/bin/qemu-ppc64-static ;;
            *)
                set -- --anchored --no-wildcards-match-slash --exclude=./usr/share
                set -- "$@" --exclude='./usr/src/rustc-*/compiler' --exclude='./usr/src/rustc-*/src'
                ;;
        esac
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root.new" "$@" || die "cannot unpack $deb"
    done
    mv "$root.new" "$root"
    rm -rf "$home/debs" "$home/.apt"
}

mkdir -p "$home"
exec 9>"$home/.lock"
flock 9 # two runs at once: the second waits and finds the work done
want="1 $arch $needed_rustc $(cksum <"$project/tests/tools/big_endian.sh")"
if [ ! -f "$home/.complete" ] || [ "$(cat "$home/.complete")" != "$want" ]; then fetch; fi

# ---- check what was unpacked -------------------------------------------------------------------------------------------

export LD_LIBRARY_PATH=$root/usr/lib/$triplet
for program in cargo rustc powerpc64-linux-gnu-gcc-12 powerpc64-linux-gnu-ld; do
    missing=$(ldd "$root/usr/bin/$program" | sed -n 's/^[[:space:]]*\([^ ]*\) => not found$/\1/p')
    [ -z "$missing" ] || die "$program lacks shared libraries (add their packages to 'wanted'): $(echo $missing)"
done

# The cross compiler looks for its C library below / unless told otherwise.
cat >"$home/gcc" <<WRAPPER
#!/bin/sh
exec "$root/usr/bin/powerpc64-linux-gnu-gcc" --sysroot="$root" "\$@"
WRAPPER
chmod +x "$home/gcc"
emulator="$root/usr/bin/qemu-ppc64-static -L $root/usr/powerpc64-linux-gnu"

cat >"$home/probe.c" <<'PROBE'
#include <stdio.h>
#include <stdint.h>
int main(void) { uint32_t one = 1; puts(*(char *)&one ? "little" : "big"); return 0; }
PROBE
"$home/gcc" "$home/probe.c" -o "$home/probe" || die "the cross compiler does not work; delete $home to fetch again"
[ "$($emulator "$home/probe")" = big ] || die "the emulator does not run a big-endian program; delete $home to fetch again"

echo "$want" >"$home/.complete"
exec 9>&-

# ---- test --------------------------------------------------------------------------------------------------------------

# Settings meant for the machine's own toolchain would break this one, or leave this target's without effect.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_TARGET RUSTUP_TOOLCHAIN
export RUSTC=$root/usr/bin/rustc RUSTDOC=$root/usr/bin/rustdoc
export RUSTC_BOOTSTRAP=1 # for -Zbuild-std
export CARGO_TARGET_DIR=$home/target CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_POWERPC64_UNKNOWN_LINUX_GNU_LINKER=$home/gcc
export CARGO_TARGET_POWERPC64_UNKNOWN_LINUX_GNU_RUNNER=$emulator
export CC_powerpc64_unknown_linux_gnu=$home/gcc # for ring
export AR_powerpc64_unknown_linux_gnu=$root/usr/bin/powerpc64-linux-gnu-ar

"$RUSTC" --print cfg --target $target | grep -qx 'target_endian="big"' || die "$target is not big-endian"
echo "big_endian: $("$RUSTC" --version), $target, $("$root/usr/bin/qemu-ppc64-static" --version | head -1)"

cd "$project"
# Every test there is runs. One that cannot run under emulation belongs here, as --skip NAME, with an echo that says why.
# What the tests spend their time in, emulated, is optimised: the standard library, SQLite, and a few others; to optimise all takes longer.
fast=()
for crate in std core alloc compiler_builtins hashbrown libsqlite3-sys rusqlite memchr lz4_flex serde_json ring sha2 proptest rand rand_chacha rand_core tokio; do
    fast+=(--config "profile.dev.package.$crate.opt-level=2")
done
"$root/usr/bin/cargo" test --locked --lib "${fast[@]}" -Zbuild-std --target $target \
    -- --nocapture "$@" 2>&1 | tee "$home/log" \
    || die "the unit tests failed big-endian"
! grep -q 'not compared$' "$home/log" || die "a test compared nothing, for want of iconv under the emulator (see above)"
