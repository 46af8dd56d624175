# What the benchmarks share: source it. Goes to the project's folder, makes the reference capture once ($capture in $dir),
# builds the program ($bin), and sets $pin to what keeps a command on one core.
cd "$(dirname "$0")/.."
dir=target/bench
mkdir -p "$dir"
capture=$dir/reference.type5
if [ ! -s "$capture" ]; then
    python3 tests/tools/make_capture.py --layouts formats/journal --count 100000 --seed 380 --stories --out "$capture.part"
    mv "$capture.part" "$capture"
fi
cargo build --release --locked --quiet
bin=target/release/qaudjrn
pin=()
command -v taskset >/dev/null && pin=(taskset -c 0)
cat "$capture" > /dev/null # into the page cache

median() { sort -n | sed -n 3p; } # of five
