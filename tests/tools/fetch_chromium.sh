#!/bin/sh
# Make sure that Chromium is there: the page of `what-if --html` is tested in it. Prints its version.
#
#     tests/tools/fetch_chromium.sh
#
# Takes what is installed; else installs Debian's package chromium, which needs root (its hundred libraries are too many
# to unpack beside the system, as fetch_peers.sh does).
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

die() { echo "fetch_chromium: $*" >&2; exit 1; }

if ! command -v chromium >/dev/null; then
    command -v apt-get >/dev/null || die "chromium is missing and so is apt-get: install Chromium"
    [ "$(id -u)" = 0 ] || die "chromium is missing: run 'apt-get install chromium' as root, then this again"
    apt-cache policy chromium 2>/dev/null | grep -q 'Candidate: [^(]' || apt-get -q update >&2 || die "apt-get update failed"
    log=$(mktemp)
    apt-get -q -y --no-install-recommends install chromium >"$log" 2>&1 || { tail -20 "$log" >&2; die "apt-get install chromium failed"; }
    rm -f "$log"
fi
chromium --version 2>/dev/null || die "chromium does not run"
