#!/bin/sh
# Fetch @ibm/mapepire-js, an independent client that judges the stand-in of a Mapepire server. Prints its version.
#
#     tests/tools/fetch_node.sh [DEST]         (DEST defaults to target/node of this checkout)
#
# A finished DEST is left as it is (delete it to fetch again). Needs Node.js 18 or newer; npm downloads from its registry,
# and no install scripts of packages are run.
set -eu
export LC_ALL=C

package=@ibm/mapepire-js
version=0.6.0

die() { echo "fetch_node: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
dest=${1:-$here/../../target/node}
command -v node >/dev/null && command -v npm >/dev/null || die "node or npm is missing; on Debian: apt-get install nodejs npm"

mkdir -p "$dest"
dest=$(cd "$dest" && pwd)
exec 9>"$dest/.lock"
flock 9 # two test runs at once: the second waits and finds the work done

want="1 $(cksum <"$here/fetch_node.sh")"
if [ ! -f "$dest/.complete" ] || [ "$(cat "$dest/.complete")" != "$want" ]; then
    rm -rf "$dest/node_modules" "$dest/package.json" "$dest/package-lock.json"
    echo '{"private": true}' >"$dest/package.json"
    npm install --prefix "$dest" --ignore-scripts --no-audit --no-fund "$package@$version" >"$dest/npm.log" 2>&1 \
        || { tail -20 "$dest/npm.log" >&2; die "npm install failed for $package@$version"; }
    echo "$want" >"$dest/.complete"
fi
echo "fetch_node: $package $version, node $(node --version)"
