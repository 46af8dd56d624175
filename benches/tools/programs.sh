# The programs that are compared: source it with at most one argument, a commit. Sets $programs to that commit's program, built in a work
# tree of its own below target/bench/before, and this one.
[ $# -le 1 ] || { echo "usage: $0 [COMMIT]" >&2; exit 2; }
cargo build --release --locked --quiet
programs=(target/release/qaudjrn)
if [ $# = 1 ]; then
    before=target/bench/before
    git worktree list | grep -q "$PWD/$before " || git worktree add --quiet --detach "$before" "$1"
    git -C "$before" checkout --quiet --detach "$1"
    (cd "$before" && cargo build --release --locked --quiet)
    programs=("$before/target/release/qaudjrn" "${programs[@]}")
fi
