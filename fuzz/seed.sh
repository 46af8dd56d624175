#!/bin/bash
# Fill fuzz/corpus/TARGET/ with small inputs: the shipped fixture and captures made by make_capture.py, one record each,
# with the option bytes that the target reads first (src/lib.rs). What the fuzzer found before stays. Needs Python 3.11.
set -euo pipefail
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

make() { # NAME OPTIONS...: NAME is HEADING.CCSID.VARIANT
    local name=$1
    shift
    local heading=${name%%.*} rest=${name#*.}
    python3 ../tests/tools/make_capture.py --layouts ../formats/journal --type "$heading" --ccsid "${rest%%.*}" \
        --out "$folder/$name" --framing stream "$@" 2>/dev/null
}
make type5.37.all --mix all --count 86
make type5.37.hostile --mix all --count 86 --hostile --blanks --foreign --seed 2
make type5.273.hostile --mix CD,CO,ZC,CP,SV,AF --count 12 --hostile --seed 3
make type5.939.mixed --mix CD,CO,SV --count 6 --seed 4
make type5.37.parts --mix ZC,ZR --count 8 --access-data --seed 5
for heading in type1 type2 type3 type4; do
    make "$heading.37.all" --mix CD,CO,PW,AF,ZC,ST --count 12 --hostile --seed 6
done

for style in "rfc array" "acs lines" "tabs pretty"; do
    read -r csv json <<<"$style"
    python3 ../tests/tools/make_qhst.py --out "$folder/qhst" --count 6 --seed 7 --hostile --csv "$folder/export.$csv" --csv-style "$csv" \
        --json "$folder/export.$json" --json-style "$json" 2>/dev/null
    rm "$folder/qhst"
done

python3 - "$folder" ../fixtures/stories.type5 corpus <<'PYTHON'
import hashlib, pathlib, struct, sys

folder, fixture, corpus = map(pathlib.Path, sys.argv[1:])
HEADINGS = ["type5", "type4", "type3", "type2", "type1"]  # HeadingKind::ALL
CCSIDS = [37, 273, 277, 278, 280, 284, 285, 297, 420, 424, 500, 838, 870, 871, 875, 880, 905, 930, 933, 935, 937, 939]  # SUPPORTED begins so
TARGETS = ["encode_cef", "encode_leef", "encode_syslog", "encode_json"]
made = 0

def put(target, data):
    global made
    (corpus / target).mkdir(parents=True, exist_ok=True)
    (corpus / target / hashlib.sha1(data).hexdigest()).write_bytes(data)
    made += 1

def records(raw):
    at = 0
    while at < len(raw):
        n = struct.unpack(">I", raw[at:at + 4])[0]
        yield raw[at + 4:at + 4 + n]
        at += 4 + n

captures = [(*path.name.split(".")[:2], list(records(path.read_bytes()))) for path in sorted(folder.glob("type*"))]
if fixture.exists():
    raw = fixture.read_bytes()
    captures.append(("type5", "37", [raw[at:at + 1500] for at in range(0, min(len(raw), 40 * 8_609), 8_609)]))
for heading, ccsid, entries in captures:
    kind, charset = HEADINGS.index(heading), CCSIDS.index(int(ccsid))
    for n, record in enumerate(entries):
        # All of it, and cut as an outfile of ENTDTALEN(400) cuts it.
        for part in {record, record[:1009]}:
            put("decode", bytes([kind, charset]) + part)
            put("filter", bytes([kind, charset]) + part)
            for target in TARGETS:
                put(target, bytes([kind, charset, n % 16, 255 if n % 3 else n % 40]) + part)
    short = [r[:926].ljust(926, b"\x40") for r in entries[:4]]
    stream = b"".join(struct.pack(">I", len(r)) + r for r in entries[:3])
    fixed = b"".join(short)
    put("records", bytes([7, 0]) + stream)
    put("records", bytes([kind | 2 << 3, 3]) + stream)
    put("records", bytes([7, 9]) + fixed)
    put("records", bytes([kind | 1 << 3 | 0x20, 100]) + fixed)
    put("records", bytes([kind | 1 << 3 | 0x20, 100]) + fixed[:-300])
for path in [pathlib.Path("../agent.toml.example"), *sorted(pathlib.Path("../filters").iterdir())]:
    put("config", path.read_bytes())
put("config", b'[filter]\ntypes.send = ["*SECURITY", "PW-P"]\nusers = { exclude = ["Q*"] }\n[[output]]\nname = "a"\naddress = "tls://h:1"\n[severity]\nPW = 3\n')
for path in sorted(folder.glob("export.*")):
    data = path.read_bytes()
    put("exports", bytes([path.suffix in (".array", ".lines", ".pretty")]) + data)
    put("exports", bytes([path.suffix in (".array", ".lines", ".pretty")]) + data[:len(data) // 2])
print(f"seed: {made} inputs in fuzz/{corpus}")
PYTHON
