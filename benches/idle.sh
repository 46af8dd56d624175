#!/bin/bash
# What senders cost that say nothing: 300 of them, a minute long.
#
#     benches/idle.sh                     this program
#     benches/idle.sh 05516bd             and the program of another commit beside it, with the ratio
#
# benches/tools/senders.py has the senders, the configurations and the figures.
set -euo pipefail
cd "$(dirname "$0")/.."
source benches/tools/programs.sh
python3 benches/tools/senders.py idle 60 300 "${programs[@]}"
