#!/bin/sh
# Make sure that what the test of `kind = "odbc"` needs is there: unixODBC with its headers, PostgreSQL and its ODBC driver.
#
#     tests/tools/fetch_odbc.sh
#
# Takes what is installed; else installs Debian's packages, which needs root. No server is left running: the tests start their
# own (tests/odbc.rs).
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

die() { echo "fetch_odbc: $*" >&2; exit 1; }

has() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

command -v dpkg-query >/dev/null || die "this needs a Debian system"
missing=
for package in postgresql odbc-postgresql unixodbc unixodbc-dev; do has "$package" || missing="$missing $package"; done

if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || die "run 'apt-get install$missing' as root, then this again"
    for package in $missing; do
        apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]' && continue
        apt-get -q update >&2 || die "apt-get update failed"
        break
    done
    log=$(mktemp)
    # Debian's scripts would make and start a server of the machine's own: not wanted.
    made=
    [ -e /etc/postgresql-common/createcluster.conf ] || {
        mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
        made=1
    }
    # shellcheck disable=SC2086
    apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold install $missing >"$log" 2>&1 || {
        tail -20 "$log" >&2
        die "apt-get install$missing failed"
    }
    [ -z "$made" ] || rm -f /etc/postgresql-common/createcluster.conf
    rm -f "$log"
fi
set -- /usr/lib/postgresql/*/bin/initdb
[ -x "$1" ] || die "there is no /usr/lib/postgresql/*/bin/initdb"
"$1" --version
odbc_config --version 2>/dev/null | sed 's/^/unixODBC /' || true
