#!/bin/sh
# Lay out the server below $1: the program, the libraries it links, and every module that needs no further library
# (TLS, LDAP, Lua and the like would bring 50 MB).
set -eu
out=$1
prefix=$out/usr/local/apache2
mkdir -p "$prefix/bin" "$prefix/modules" "$prefix/conf" "$prefix/htdocs" "$prefix/cgi-bin" "$prefix/logs"
# The packaged program looks for its configuration here, so a bare `httpd -t` works.
mkdir -p "$out/etc/apache2"
ln -s /usr/local/apache2/conf/httpd.conf "$out/etc/apache2/apache2.conf"

libraries() { ldd "$1" | awk '$2 == "=>" { print $3 }' | xargs -r readlink -f | sort -u; }

cp /usr/sbin/apache2 "$prefix/bin/httpd"
cp /etc/mime.types "$prefix/conf/"
libraries /usr/sbin/apache2 >/linked
for library in $(grep -vxFf /base-libraries /linked); do
    mkdir -p "$out$(dirname "$library")"
    # Under the name the loader asks for; the file itself carries the full version.
    cp "$library" "$out$(dirname "$library")/"
    ldconfig -n "$out$(dirname "$library")"
done
for module in /usr/lib/apache2/modules/*.so; do
    if [ -z "$(libraries "$module" | grep -vxFf /linked)" ]; then cp "$module" "$prefix/modules/"; fi
done
