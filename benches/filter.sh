#!/bin/bash
# What filtering costs: qaudjrn replay with rules beside one without, on the same capture, on one core, in one go.
#
#     benches/filter.sh
#
# Each run reads the reference capture of 100,000 entries five times, so that compiling 300,000 rules (a third of a second)
# does not weigh too much. Prints entries a second (CEF lines to nowhere; median of five runs in turn) and the ratio to the
# run without a filter: the preset `security` with 1,000 object, 1,000 path and 1,000 user rules; the same rules with everything sent, alone and
# by the hundred thousand; everything dropped by its type. The rules name what the capture does not hold, but for a few:
# a rule that does not match is the one that costs.
set -euo pipefail
source "$(dirname "$0")/reference.sh"

rules() { # FILE PRESETS NUMBER-OF-EACH
    python3 - "$2" "$3" > "$1" <<'P'
import json, sys
presets, n = sys.argv[1].split(), int(sys.argv[2])
# Names in as many shapes as administrators write: exact, generic, every library, a type; deep paths, children, globs.
objects = [f"LIB{i}/OBJ{i}" if i % 4 else f"L{i}*/*ALL" if i % 8 else f"*ALL/X{i}*:*FILE" for i in range(1, n + 1)]
paths = [f"/home/user{i}/work" if i % 4 else f"/data/app{i}/*" if i % 8 else f"/srv/site{i}/*.log" for i in range(1, n + 1)]
users = [f"USR{i}" if i % 4 else f"U{i}*" for i in range(1, n + 1)]
print("[filter]\nprotect_audit_changes = true")
print("presets =", json.dumps(presets))
for key, values in ("objects", objects), ("ifs", paths), ("users", users):
    print(f"{key}.exclude =", json.dumps(values))
P
}
rules "$dir/security.toml" security 1000
rules "$dir/ten.toml" "" 10
rules "$dir/thousand.toml" "" 1000
rules "$dir/many.toml" "" 100000
printf '[filter]\nprotect_audit_changes = false\ntypes.send = ["C3"]\n' > "$dir/nothing.toml"

rate() { # entries a second of one run, from the summary
    "${pin[@]}" "$bin" replay --to null --timezone UTC --summary json "$@" "$capture" "$capture" "$capture" "$capture" "$capture" 2>&1 | grep '^{' | python3 -c 'import json,sys; print(int(json.load(sys.stdin)["entries_per_second"]))'
}

for i in 1 2 3 4 5; do
    rate >> "$dir/none.$$"
    for what in security ten thousand many nothing; do rate --config "$dir/$what.toml" >> "$dir/$what.$$"; done
done
base=$(median < "$dir/none.$$")
printf '%-58s %12s %8s\n' "one core, the capture five times, CEF" "entries/s" "ratio"
show() { printf '%-58s %12s %8s\n' "$2" "$(median < "$dir/$1.$$")" "$(python3 -c "print(f'{$(median < "$dir/$1.$$") / $base:.2f}')")"; }
show none "no filter: everything is encoded"
show security "preset security, 1,000 object, path and user rules each"
show ten "10 rules of each, all entries sent"
show thousand "1,000 rules of each, all entries sent"
show many "100,000 rules of each, all entries sent"
show nothing "everything dropped by its type"
rm -f "$dir"/*.$$
