#!/bin/sh
# Make a self-signed RSA certificate for the stand-in, as a Mapepire server has by default: cert.pem and key.pem in DEST.
#
#     tests/tools/ibmi/make_cert.sh DEST [no-san]
#
# With no-san it names the host in its CN only, as the genuine server's keytool does: clients that check names refuse it,
# so the agent must be told to trust just this certificate. Files that are there are left as they are.
set -eu
dest=$1
mkdir -p "$dest"
[ -f "$dest/cert.pem" ] && exit 0
[ "${2:-}" = no-san ] || set -- "$1" -addext subjectAltName=DNS:localhost,IP:127.0.0.1
[ "$2" != no-san ] || set -- "$1"
shift
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dest/key.pem" -out "$dest/cert.new" -days 3650 -subj /CN=localhost "$@" 2>"$dest/openssl.log" \
    || { cat "$dest/openssl.log" >&2; exit 1; }
mv "$dest/cert.new" "$dest/cert.pem"
rm -f "$dest/openssl.log"
