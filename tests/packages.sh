#!/bin/bash
# Installs the packages in clean systems and uses them: the .deb in a Debian 12 with rsyslog of its own, the .rpm in an empty root.
#
#     tests/packages.sh [ARCHIVE]     ARCHIVE: the folder of packages (target/packages; made by packaging/build.sh where it is missing)
#
# In the Debian: install; what is shipped is refused until it is configured; the agent as the unit starts it (its ExecStart, as a user
# without any privilege) until every entry of the fixture is with rsyslog; an upgrade to a second package while rsyslog is down and
# entries wait; status, reload with a bad and a good configuration; stop; remove; purge. There is no systemd in it: of the unit, tests/packaging.rs has the rest.
#
# Needs root, Debian 12, debootstrap, rpm, and the net at the first time. The Debian is kept below target/packages-base. Takes a quarter of a
# minute behind the build of the packages, and prints it. It is not part of .ci/run.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
archive=$(realpath -m "${1:-target/packages}")
base=$repository/target/packages-base
began=${PACKAGES_BEGAN:-$(date +%s)}

die() { echo "packages: FAILED: $*" >&2; exit 1; }
say() { printf 'packages: %3d s: %s\n' $(($(date +%s) - began)) "$*"; }

if [ -z "${PACKAGES_ALONE:-}" ]; then
    [ "$(id -u)" = 0 ] || die "it needs root: it makes systems of their own"
    for tool in debootstrap rpm dpkg-deb unshare setpriv ip; do
        command -v "$tool" >/dev/null || die "$tool is missing: apt-get install debootstrap rpm dpkg-dev util-linux iproute2"
    done
    # Two packages, of which the second one is newer.
    for release in 1 2; do
        ls "$archive"/qaudjrn_*-"$release"_amd64.deb "$archive"/qaudjrn-*-"$release".x86_64.rpm >/dev/null 2>&1 \
            || QAUDJRN_RELEASE=$release packaging/build.sh x86_64-unknown-linux-musl
    done
    if [ ! -e "$base/done" ]; then
        rm -rf "$base"
        debootstrap --variant=minbase --include=rsyslog,ca-certificates bookworm "$base" http://deb.debian.org/debian >"$repository/target/packages-base.log" 2>&1 \
            || die "debootstrap: see target/packages-base.log"
        touch "$base/done"
    fi
    # A network of its own: its ports are free.
    PACKAGES_ALONE=1 PACKAGES_BEGAN=$began exec unshare --net -- "$0" "$archive"
fi
ip link set lo up
say "the systems are there"

root=$(mktemp -d "$repository/target/packages-root.XXXXXX")
agent='' rsyslog=''
# shellcheck disable=SC2317
clean() {
    for process in $agent $rsyslog; do kill -KILL "$process" 2>/dev/null || :; done
    # Nothing is mounted in it, and nothing else is ever to be deleted through it.
    rm -rf --one-file-system "$root"
}
trap clean EXIT
cp -a "$base" "$root/debian"
debian=$root/debian
# The devices are those that debootstrap made, of this system's own; neither /dev nor /proc of the machine is in it.
in_debian=(chroot "$debian" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
inside() { "${in_debian[@]}" "$@"; }

until_it_holds() { # SECONDS WHAT COMMAND...
    local end=$(($(date +%s) + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || { tail -20 "$debian/var/log/agent.log" >&2; die "$what does not come"; }
        sleep 0.2
    done
}

# --------------------------------------------------------------------------------------------------------- the .deb

deb() { ls "$archive"/qaudjrn_*-"$1"_amd64.deb; }
install_deb() { cp "$(deb "$1")" "$debian/tmp/" && inside dpkg -i "/tmp/$(basename "$(deb "$1")")" >"$root/dpkg.log" 2>&1 || { cat "$root/dpkg.log"; die "dpkg -i"; }; }
config=$debian/etc/qaudjrn/agent.toml

install_deb 1
inside qaudjrn --version | tee "$root/version" | head -1 | grep -qx "qaudjrn $(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)" || die "--version: $(cat "$root/version")"
grep -q '^target: x86_64-unknown-linux-musl$' "$root/version" || die "--version: $(cat "$root/version")"
inside qaudjrn check --config /etc/qaudjrn/agent.toml >"$root/check" 2>&1 || die "check of what is shipped: $(cat "$root/check")"
code=0; inside qaudjrn run --config /etc/qaudjrn/agent.toml 2>"$root/said" || code=$?
[ "$code" = 2 ] || die "run of what is shipped ends with $code: $(cat "$root/said")"
[ ! -e "$debian/etc/systemd/system/multi-user.target.wants/qaudjrn.service" ] || die "the service is enabled"
inside test -s /usr/share/man/man1/qaudjrn-run.1.gz || die "no manual page"
say "$(basename "$(deb 1)") is installed; as it is shipped it is checked and refused"

# What an administrator writes.
mkdir -p "$debian/srv/audit"
cp fixtures/stories.type5 "$debian/srv/audit/first.type5"
cat >"$config" <<'TOML'
state_dir = "/var/lib/qaudjrn"
agent_events = false
heartbeat = 0
[[source]]
name = "first"
path = "/srv/audit/first.type5"
follow = true
timezone = "UTC"
[[source]]
name = "second"
path = "/srv/audit/second.type5"
follow = true
timezone = "UTC"
[[output]]
name = "siem"
address = "tcp://127.0.0.1:5514"
format = "cef"
TOML
written=$(sha256sum <"$config")

cat >"$debian/etc/rsyslog.conf" <<'CONF'
module(load="imtcp")
input(type="imtcp" port="5514")
template(name="raw" type="string" string="%rawmsg%\n")
*.* action(type="omfile" file="/var/log/received" template="raw" fileCreateMode="0644")
CONF
# In the background a command is started as it is, so that its number is that of the program.
start_rsyslog() { "${in_debian[@]}" rsyslogd -n -i /run/rsyslog.pid >>"$root/rsyslog.log" 2>&1 & rsyslog=$!; }
end() { # PROCESS
    kill -TERM "$1"
    local code=0
    wait "$1" || code=$?
    return "$code"
}

# As the unit does: its ExecStart, with the state as the service's own, without privileges.
user=61184
start_agent() {
    local unit=$debian/lib/systemd/system/qaudjrn.service command
    command=$(sed -n 's/^ExecStart=//p' "$unit")
    install -d -m 700 -o $user -g $user "$debian/var/lib/qaudjrn" && install -d -m 755 -o $user -g $user "$debian/run/qaudjrn"
    # shellcheck disable=SC2086
    "${in_debian[@]}" RUNTIME_DIRECTORY=/run/qaudjrn setpriv --reuid $user --regid $user --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all $command >>"$debian/var/log/agent.log" 2>&1 &
    agent=$!
}
received() { cat "$debian/var/log/received" 2>/dev/null || :; }
# How many different entries came, and how many of these at least so often.
often() { received | grep -o 'externalId=[^ ]*' | sort | uniq -c | awk -v n="$1" '$1 >= n' | wc -l; }
entries=$(inside qaudjrn replay /srv/audit/first.type5 2>/dev/null | grep -o 'externalId=[^ ]*' | sort -u | wc -l)
[ "$entries" -gt 10 ] || die "the fixture has $entries entries"

start_rsyslog
start_agent
all_came() { [ "$(often "$1")" = "$entries" ]; }
until_it_holds 60 "the first event" test -s "$debian/var/log/received"
say "the first event is with rsyslog"
until_it_holds 60 "every entry" all_came 1
say "all $entries entries are with rsyslog"

# As an administrator asks and tells it: by the socket in the folder that the unit has for it, found from the configuration.
inside qaudjrn status >"$root/status" || [ $? = 3 ] || die "status: $(cat "$root/status")"
grep -q 'output siem: connected for' "$root/status" || die "status: $(cat "$root/status")"
before=$(grep '^agent: ' "$root/status" | sed 's/.*configuration //')
cp "$config" "$root/good.toml"
echo '[[output]' >>"$config"
code=0; inside qaudjrn reload >"$root/said" 2>&1 || code=$?
[ "$code" = 2 ] && grep -q 'the old one stays' "$root/said" || die "reload of a broken configuration ends with $code: $(cat "$root/said")"
sed 's/^heartbeat = 0$/heartbeat = 86400/' "$root/good.toml" >"$config"
inside qaudjrn reload >"$root/said" 2>&1 || die "reload: $(cat "$root/said")"
inside qaudjrn status >"$root/status" || :
[ "$(grep '^agent: ' "$root/status" | sed 's/.*configuration //')" != "$before" ] || die "status after a reload: $(cat "$root/status")"
written=$(sha256sum <"$config")
say "status says how it is; a bad configuration is refused, a good one in force"

end "$rsyslog" || :
cp fixtures/stories.type5 "$debian/srv/audit/new" && mv "$debian/srv/audit/new" "$debian/srv/audit/second.type5"
waits() { inside qaudjrn spool status --json --config /etc/qaudjrn/agent.toml 2>/dev/null | grep -q "\"waiting\": *$entries\b"; }
until_it_holds 60 "the backlog" waits
install_deb 2
inside dpkg-query -W -f '${Version}\n' qaudjrn | grep -q -- '-2$' || die "the second package is not installed"
[ "$(sha256sum <"$config")" = "$written" ] || die "the upgrade changed the configuration"
code=0; end "$agent" || code=$?
[ "$code" = 0 ] || die "the agent ended with $code"
start_agent
start_rsyslog
until_it_holds 60 "what waited" all_came 2
say "upgraded while $entries entries waited: all of them came, the configuration is as it was"

code=0; end "$agent" || code=$?
[ "$code" = 0 ] || die "the agent ended with $code"
agent=''
grep -q 'panicked' "$debian/var/log/agent.log" && die "it panicked"
inside dpkg -r qaudjrn >/dev/null 2>&1 || die "dpkg -r"
[ ! -e "$debian/usr/bin/qaudjrn" ] || die "the program is still there"
[ -e "$config" ] && [ -e "$debian/var/lib/qaudjrn/spool.db" ] || die "a removal took configuration or state"
inside dpkg -P qaudjrn >/dev/null 2>&1 || die "dpkg -P"
for left in "$debian/etc/qaudjrn" "$debian/var/lib/qaudjrn" "$debian/usr/share/doc/qaudjrn"; do [ ! -e "$left" ] || die "a purge left ${left#"$debian"}"; done
say "removed (configuration and state stayed) and purged (nothing stayed)"

# --------------------------------------------------------------------------------------------------------- the .rpm

rpm_of() { ls "$archive"/qaudjrn-*-"$1".x86_64.rpm; }
red=$root/red
mkdir -p "$red"
own() { rpm --root "$red" "$@"; }
own --initdb
# Scripts need a shell of that root; dependencies are a shell and a recommendation.
own -i --nodeps --noscripts "$(rpm_of 1)" || die "rpm -i"
for file in /usr/bin/qaudjrn /usr/lib/systemd/system/qaudjrn.service /etc/qaudjrn/agent.toml /usr/share/man/man5/qaudjrn.toml.5.gz; do
    [ -s "$red$file" ] || die "the rpm has no $file"
done
[ "$(own -qc qaudjrn)" = /etc/qaudjrn/agent.toml ] || die "its configuration: $(own -qc qaudjrn)"
own -V --nodeps --noscripts qaudjrn || die "rpm -V"
cp fixtures/stories.type5 "$red/day.type5"
chroot "$red" /usr/bin/qaudjrn replay --timezone Europe/Berlin /day.type5 2>/dev/null | cmp - tests/golden/stories.cef || die "a replay in an empty root is not what it should be"
echo "# mine" >>"$red/etc/qaudjrn/agent.toml"
own -U --nodeps --noscripts "$(rpm_of 2)" || die "rpm -U"
grep -q '^# mine$' "$red/etc/qaudjrn/agent.toml" || die "the upgrade changed the configuration"
own -e --noscripts qaudjrn || die "rpm -e"
[ -e "$red/etc/qaudjrn/agent.toml.rpmsave" ] && [ ! -e "$red/usr/bin/qaudjrn" ] || die "rpm -e left the wrong things"
rpm -qp --scripts "$(rpm_of 1)" | grep -v '^[a-z]* scriptlet' | sh -n || die "its scripts are no shell"
say "the rpm is installed, starts in an empty root, is upgraded and removed"
seconds=$(($(date +%s) - began))
printf 'packages: passed in %d min %d s\n' $((seconds / 60)) $((seconds % 60))
