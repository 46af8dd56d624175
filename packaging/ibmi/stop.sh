#!/QOpenSys/usr/bin/sh
# Ends the agent in good order. Not run on a real system: see README.md.
state=${QAUDJRN_STATE:-/QOpenSys/var/lib/qaudjrn}
pid=$(cat "$state.pid" 2>/dev/null) || { echo "qaudjrn: $state.pid is not there: it was not started by start.sh"; exit 0; }
kill -TERM "$pid" 2>/dev/null || { rm -f "$state.pid"; exit 0; }
# It ends within stop_timeout and 5 s.
n=0
while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 60 ]; do n=$((n + 1)); sleep 1; done
kill -0 "$pid" 2>/dev/null && { echo "qaudjrn: process $pid still runs after a minute"; exit 1; }
rm -f "$state.pid"
