# What the comparisons with other forwarders share: source it after reference.sh. Sets $events (a capture of 300,000 entries)
# and $lines (the same as lines of `qaudjrn replay`), makes them once below target/bench, and builds the counting receiver.
events=$dir/events-300000.type5
lines=$dir/events-300000.lines
tests/tools/fetch_peers.sh >&2
if [ ! -s "$events" ]; then
    python3 tests/tools/make_capture.py --layouts formats/journal --count 300000 --seed 381 --stories --out "$events.part" >&2
    mv "$events.part" "$events"
fi
if [ ! -s "$lines" ]; then
    "$bin" replay --format cef --summary none "$events" > "$lines.part"
    mv "$lines.part" "$lines"
fi
cargo build --release --locked --quiet --example sink
cat "$events" "$lines" > /dev/null # into the page cache
