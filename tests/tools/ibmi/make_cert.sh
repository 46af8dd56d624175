#!/bin/sh
# Make a self-signed RSA certificate for the stand-in, as a Mapepire server has by default: cert.pem and key.pem in DEST.
#
#     tests/tools/ibmi/make_cert.sh DEST [no-san]
#
# Like the genuine server's, made by Java's keytool, it has no basic constraints. With no-san it names the host in its CN
# only, as the genuine one does: a client that checks names refuses it. Files that are there are left as they are.
set -eu
dest=$1
mkdir -p "$dest"
[ ! -f "$dest/cert.pem" ] || exit 0
{
    printf '[req]\ndistinguished_name=name\nx509_extensions=extensions\nprompt=no\n[name]\nCN=localhost\n'
    printf '[extensions]\nsubjectKeyIdentifier=hash\n'
    [ "${2:-}" = no-san ] || printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n'
} >"$dest/openssl.cnf"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dest/key.pem" -out "$dest/cert.new" -days 3650 -config "$dest/openssl.cnf" 2>"$dest/openssl.log" \
    || { cat "$dest/openssl.log" >&2; exit 1; }
mv "$dest/cert.new" "$dest/cert.pem"
rm -f "$dest/openssl.log" "$dest/openssl.cnf"
