#!/bin/sh
# Starts the program with the interpreter and the C library of this folder, wherever it is: docs/bundle.md.
# -I -S: nothing of the host's Python, of the environment or of the working folder is imported.
self=$0
case $self in */*) ;; *) self=$(command -v -- "$self") ;; esac
while [ -L "$self" ]; do
    to=$(readlink "$self")
    case $to in /*) self=$to ;; *) self=${self%/*}/$to ;; esac
done
here=$(CDPATH='' cd -P -- "${self%/*}/.." && pwd -P) || exit 1
# Debian's OpenSSL looks for certificates in /usr/lib/ssl; other systems have them elsewhere.
if [ -z "${SSL_CERT_FILE-}${SSL_CERT_DIR-}" ] && [ ! -e /usr/lib/ssl/certs ]; then
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        if [ -r "$file" ]; then
            export SSL_CERT_FILE="$file"
            break
        fi
    done
fi
# Libraries and modules that the caller names are made for the host's C library, not for this one.
unset LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH GCONV_PATH OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES
# lib/jianwei is the dynamic loader under the name that ps shows; sys.executable is bin/python3, for children.
exec "$here/lib/jianwei" --inhibit-cache --library-path "$here/lib" --argv0 "$here/bin/python3" \
    "$here/lib/interpreter" -I -S -X utf8 @ARGUMENTS@"$@"
