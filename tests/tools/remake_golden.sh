#!/usr/bin/env bash
# Remakes fixtures/ and the golden lines made from them. Read the difference before committing it: it is what receivers will see change.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tests/tools/make_capture.py --layouts formats/journal --stories --count 45 --seed 2026 --entdtalen 8000 --out fixtures/stories.type5 --truth fixtures/stories.jsonl
cargo build --release --quiet
for format in cef leef leef2 syslog json; do
    target/release/qaudjrn replay --format "$format" --timezone Europe/Berlin --summary none fixtures/stories.type5 > "tests/golden/stories.$format"
done
git --no-pager diff --stat -- fixtures tests/golden
