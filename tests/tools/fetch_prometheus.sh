#!/bin/sh
# Fetch Prometheus and promtool, as Debian 12 ships them: they judge what /metrics says, the alert rules and the dashboard.
#
#     tests/tools/fetch_prometheus.sh [DEST]        (DEST defaults to target/prometheus of this checkout)
#
# The package is downloaded with apt and its two programs are unpacked below DEST, not installed. Needs Debian 12 and apt; root only when
# the package lists are missing and `apt-get update` has to run. A finished DEST is left as it is (delete it to fetch again); anything
# else ends with a message and exit code 1, never with a half-filled DEST.
set -eu
export LC_ALL=C

die() { echo "fetch_prometheus: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
dest=${1:-$here/../../target/prometheus}
for tool in apt-get apt-cache dpkg-deb flock; do
    command -v "$tool" >/dev/null || die "$tool is missing; this needs a Debian 12 system"
done
mkdir -p "$dest"
dest=$(cd "$dest" && pwd)
exec 9>"$dest/.lock"
flock 9 # two test runs at once: the second waits and finds the work done

verify() {
    for program in prometheus promtool; do
        "$dest/$program" --version >"$dest/.out" 2>&1 && grep -q "^$program, version" "$dest/.out" \
            || { cat "$dest/.out" >&2; die "$program does not run (delete $dest to fetch again)"; }
    done
    sed -n '1s/ (.*//p' "$dest/.out"
    rm -f "$dest/.out"
}

if [ -f "$dest/.complete" ]; then
    verify
    exit 0
fi

new=$dest/new
rm -rf "$new"
mkdir -p "$new"
if ! apt-cache policy prometheus 2>/dev/null | grep -q 'Candidate: [^(]'; then
    [ "$(id -u)" = 0 ] || die "apt knows no package prometheus; run 'apt-get update' as root, then this again"
    apt-get -q update >&2 || die "apt-get update failed"
fi
# A stale list names a file that the server has no more.
download() { (cd "$new" && apt-get -q -o APT::Sandbox::User=root download prometheus) >"$dest/.apt" 2>&1; }
download || { [ "$(id -u)" = 0 ] && apt-get -q update >&2 && download; } || { cat "$dest/.apt" >&2; die "apt-get download failed"; }
dpkg-deb --fsys-tarfile "$new"/prometheus_*.deb | tar -x -C "$new" ./usr/bin/prometheus ./usr/bin/promtool \
    || die "the package has no prometheus or no promtool"
mv "$new/usr/bin/prometheus" "$new/usr/bin/promtool" "$dest/"
rm -rf "$new" "$dest/.apt"
verify
touch "$dest/.complete"
