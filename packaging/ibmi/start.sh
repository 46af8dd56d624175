#!/QOpenSys/usr/bin/sh
# Starts the agent in PASE, in the foreground. Not run on a real system: see README.md.
home=${QAUDJRN_HOME:-/QOpenSys/opt/qaudjrn}
state=${QAUDJRN_STATE:-/QOpenSys/var/lib/qaudjrn}
# Where credential:NAME of the configuration is looked for.
CREDENTIALS_DIRECTORY=${CREDENTIALS_DIRECTORY:-$home/credentials}
export CREDENTIALS_DIRECTORY
umask 077
mkdir -p "$state" || exit 1
# The process that stop.sh ends.
echo $$ >"$state.pid"
exec "$home/qaudjrn" run --config "$home/agent.toml" >>"$state.log" 2>&1
