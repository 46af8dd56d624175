#!/bin/sh
# Fetch the real receivers the tests send to: rsyslog, syslog-ng and lognormalizer, as Debian 12 ships them.
#
#     tests/tools/fetch_peers.sh [DEST]        (DEST defaults to target/peers of this checkout)
#
# The packages are downloaded with apt and unpacked below DEST, not installed: as installed packages rsyslog and syslog-ng
# exclude each other, and nothing on the machine should change. Needs Debian 12 and apt; root only when the package lists
# are missing and `apt-get update` has to run. A finished DEST is left as it is (delete it to fetch again); anything else
# ends with a message and exit code 1, never with a half-filled DEST.
set -eu
export LC_ALL=C

seeds="rsyslog rsyslog-openssl rsyslog-relp liblognorm-utils syslog-ng-core"

die() { echo "fetch_peers: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
dest=${1:-$here/../../target/peers}
for tool in apt-get apt-cache dpkg dpkg-deb ldd flock; do
    command -v "$tool" >/dev/null || die "$tool is missing; this needs a Debian 12 system"
done
arch=$(dpkg --print-architecture)
case $arch in
    amd64) triplet=x86_64-linux-gnu ;;
    arm64) triplet=aarch64-linux-gnu ;;
    *) die "architecture $arch is not known here; add its library folder name to this script" ;;
esac

mkdir -p "$dest"
dest=$(cd "$dest" && pwd)
exec 9>"$dest/.lock"
flock 9 # two test runs at once: the second waits and finds the work done

# ---- what is where; tests/peers/mod.rs uses the same folders -----------------------------------------------------------

library_path() { # of the tree $1
    echo "$1/usr/lib/$triplet:$1/lib/$triplet:$1/usr/lib/syslog-ng:$1/usr/lib:$1/lib"
}

again="delete $dest to fetch again"

# Run each program once from the tree $1 and print its version line.
verify() {
    libs=$(library_path "$1")
    LD_LIBRARY_PATH=$libs "$1/usr/sbin/rsyslogd" -v >"$dest/.out" 2>&1 && grep -q '^rsyslogd ' "$dest/.out" \
        || { cat "$dest/.out" >&2; die "rsyslogd does not run ($again)"; }
    sed -n '1s/ (.*//p' "$dest/.out"

    LD_LIBRARY_PATH=$libs "$1/usr/sbin/syslog-ng" --version --module-path="$1/usr/lib/syslog-ng/3.38" >"$dest/.out" 2>&1 \
        && grep -q '^Installer-Version' "$dest/.out" || { cat "$dest/.out" >&2; die "syslog-ng does not run ($again)"; }
    for module in afsocket syslogformat json-plugin; do
        grep -q "^Available-Modules:.*$module" "$dest/.out" || { cat "$dest/.out" >&2; die "syslog-ng lacks its module $module"; }
    done
    sed -n 's/^Installer-Version: /syslog-ng /p' "$dest/.out"

    printf 'version=2\nrule=:%%f:cef%%\n' >"$dest/.cef.rb"
    echo 'CEF:0|v|p|1|id|name|5| first=x cs1=a\=b' \
        | LD_LIBRARY_PATH=$libs "$1/usr/bin/lognormalizer" -r "$dest/.cef.rb" -e json >"$dest/.out" 2>&1 || true
    grep -q '"a=b"' "$dest/.out" || { cat "$dest/.out" >&2; die "lognormalizer does not parse a CEF line"; }
    LD_LIBRARY_PATH=$libs "$1/usr/bin/lognormalizer" -V 2>&1 | head -1

    for module in imudp imtcp lmnsd_ossl mmpstrucdata imrelp; do
        [ -f "$1/usr/lib/$triplet/rsyslog/$module.so" ] || die "rsyslog's module $module.so is not in the packages"
    done
    rm -f "$dest/.out" "$dest/.cef.rb"
}

stamp=$dest/.complete
want="1 $arch $(cksum <"$here/fetch_peers.sh")"
if [ -f "$stamp" ] && [ "$(head -1 "$stamp")" = "$want" ]; then
    verify "$dest/root"
    exit 0
fi

# ---- fetch and unpack --------------------------------------------------------------------------------------------------

new=$dest/root.new
rm -rf "$new" "$dest/root" "$dest/debs" "$stamp"
mkdir -p "$new" "$dest/debs"

has_candidate() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }
if ! has_candidate rsyslog; then
    [ "$(id -u)" = 0 ] || die "apt knows no package rsyslog; run 'apt-get update' as root, then this again"
    apt-get -q update >&2 || die "apt-get update failed"
fi
for package in $seeds; do has_candidate "$package" || die "apt has no package $package (is this Debian 12 with section main?)"; done

fetch() { # packages...; downloads to debs/, unpacks to root.new
    # The sandbox user _apt may not be allowed to write below a checkout.
    (cd "$dest/debs" && apt-get -q -o APT::Sandbox::User=root download "$@") >"$dest/.apt" 2>&1 \
        || { cat "$dest/.apt" >&2; die "apt-get download failed for: $*"; }
    for package in "$@"; do
        deb=$(ls "$dest/debs/${package}"_*.deb) || die "apt downloaded no file for $package"
        dpkg-deb -x "$deb" "$new" || die "cannot unpack $deb"
    done
    rm -f "$dest/.apt"
}

# Shared libraries that the unpacked programs and modules need and neither they nor the machine have, one soname a line.
missing_libraries() {
    find "$new" -type f \( -name '*.so*' -o -path '*/bin/*' -o -path '*/sbin/*' \) \
        -exec env LD_LIBRARY_PATH="$(library_path "$new")" ldd {} + 2>/dev/null \
        | sed -n 's/^[[:space:]]*\([^ ]*\) => not found$/\1/p' | sort -u
}

# The package of a soname. Debian names it after the soname: libfoo.so.3 is in libfoo3, libfoo2.so.3 in libfoo2-3,
# libfoo-2.0.so.0 in libfoo2.0-0 or libfoo-2.0-0. The exceptions stand first.
package_of() {
    case $1 in
        libcrypto.so.3 | libssl.so.3) set -- libssl3 ;;
        libgssapi_krb5.so.2) set -- libgssapi-krb5-2 ;;
        libk5crypto.so.3) set -- libk5crypto3 ;;
        libgmodule-2.0.so.0 | libgthread-2.0.so.0 | libgio-2.0.so.0 | libgobject-2.0.so.0) set -- libglib2.0-0 ;;
        libz.so.1) set -- zlib1g ;;
        *)
            name=$(echo "${1%%.so*}" | tr 'A-Z_' 'a-z-')
            number=${1##*.so.}
            squeezed=$(echo "$name" | sed 's/-\([0-9.]*\)$/\1/')
            set -- "$name$number" "$name-$number" "$squeezed-$number" "$squeezed$number"
            ;;
    esac
    for candidate in "$@"; do
        if has_candidate "$candidate"; then echo "$candidate"; return; fi
    done
}

fetch $seeds
round=0
while missing=$(missing_libraries) && [ -n "$missing" ]; do
    round=$((round + 1))
    [ "$round" -le 8 ] || die "still missing after $round rounds: $(echo $missing)"
    packages= unresolved=
    for soname in $missing; do
        package=$(package_of "$soname")
        if [ -n "$package" ]; then packages="$packages $package"; else unresolved="$unresolved $soname"; fi
    done
    [ -z "$unresolved" ] || die "no package known for these shared libraries (add them to package_of):$unresolved"
    fresh=
    for package in $(printf '%s\n' $packages | sort -u); do
        [ -z "$(ls "$dest/debs/${package}"_*.deb 2>/dev/null)" ] || die "$package is unpacked but one of its libraries is not found: $(echo $missing)"
        fresh="$fresh $package"
    done
    fetch $fresh
done

mv "$new" "$dest/root"
verify "$dest/root"
{
    echo "$want"
    (cd "$dest/debs" && ls *.deb)
} >"$stamp.new"
mv "$stamp.new" "$stamp"
rm -rf "$dest/debs"
echo "fetch_peers: $(($(wc -l <"$stamp") - 1)) packages unpacked in $dest/root"
