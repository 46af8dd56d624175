#!/bin/bash
# What many active senders cost: 300 of them, each of which sends four records five times a second, and whether a thousand work.
#
#     benches/senders.sh                  this program
#     benches/senders.sh 05516bd          and the program of another commit beside it, with the ratio
#
# benches/tools/senders.py has the senders, the configurations and the figures. The other program has no `[[listener]]` and is measured with a
# source for each sender; this one with both. Senders run on the same machine: only the figures of the agent count.
set -euo pipefail
cd "$(dirname "$0")/.."
source benches/tools/programs.sh
python3 benches/tools/senders.py active 30 300 "${programs[@]}"
python3 benches/tools/senders.py active 20 1000 target/release/qaudjrn
