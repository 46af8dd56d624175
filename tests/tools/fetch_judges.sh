#!/bin/sh
# Make sure that what judges packages and pages is there: systemd-analyze for the unit, man and mandoc for the manual pages, jq for commands of the docs.
#
#     tests/tools/fetch_judges.sh
#
# Takes what is installed; else installs Debian's packages, which needs root.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

die() { echo "fetch_judges: $*" >&2; exit 1; }

packages=
for judge in systemd-analyze:systemd man:man-db mandoc:mandoc jq:jq; do
    command -v "${judge%:*}" >/dev/null || packages="$packages ${judge#*:}"
done
if [ -n "$packages" ]; then
    command -v apt-get >/dev/null || die "there is no apt-get to install$packages"
    [ "$(id -u)" = 0 ] || die "run 'apt-get install$packages' as root, then this again"
    log=$(mktemp)
    # A stale list names files that the server has no more.
    install() { apt-get -q -y --no-install-recommends install $packages >"$log" 2>&1; }
    install || { apt-get -q update >&2 && install; } || { tail -20 "$log" >&2; die "apt-get install$packages failed"; }
    rm -f "$log"
fi
for judge in systemd-analyze man mandoc jq; do command -v "$judge" >/dev/null || die "$judge is still missing"; done
