#!/bin/sh
# Make the virtual environment of the Python tools and tests: the library websockets, which the stand-in of an IBM i needs,
# and mapepire-python, an independent client that judges it. Prints the versions.
#
#     tests/tools/fetch_python.sh [DEST]       (DEST defaults to target/venv of this checkout)
#
# A finished DEST is left as it is (delete it to fetch again). Needs Python 3.11 with venv; pip downloads from PyPI.
set -eu
export LC_ALL=C

packages="websockets==17.4 mapepire-python==1.0.1"

die() { echo "fetch_python: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
dest=${1:-$here/../../target/venv}
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed"

mkdir -p "$(dirname "$dest")"
dest=$(cd "$(dirname "$dest")" && pwd)/$(basename "$dest")
exec 9>"$dest.lock"
flock 9 # two test runs at once: the second waits and finds the work done

want="1 $(cksum <"$here/fetch_python.sh")"
if [ ! -f "$dest/.complete" ] || [ "$(cat "$dest/.complete")" != "$want" ]; then
    rm -rf "$dest"
    python3 -m venv "$dest" || die "python3 -m venv failed; on Debian: apt-get install python3-venv"
    log=$dest/pip.log
    "$dest/bin/pip" install --quiet $packages >"$log" 2>&1 || { tail -20 "$log" >&2; die "pip install failed for: $packages"; }
    echo "$want" >"$dest/.complete"
fi
"$dest/bin/python" -c 'from importlib.metadata import version
print("fetch_python:", *("%s %s" % (p, version(p)) for p in ("websockets", "mapepire-python")))'
