#!/bin/sh
# Makes the secrets of one environment as files in docker/secrets/<environment>, with random values.
# What is there is kept, so it may be run again. Nothing is printed but where the files are.
set -eu
usage="usage: docker/make-secrets.sh dev|stage|prod"
case "${1:-}" in
  dev) mark=development- ;;
  stage | prod) mark= ;;
  -h | --help) echo "$usage"; exit 0 ;;
  *) echo "$usage" >&2; exit 2 ;;
esac
cd "$(dirname "$0")"
folder=secrets/$1
# Containers read the files as another user, so their mode lets all read; the folders above let nobody in but you.
umask 077
mkdir -p "$folder"
chmod 0700 secrets "$folder"

random() { printf '%s' "$mark"; od -An -v -tx1 -N "${1:-24}" /dev/urandom | tr -d ' \n'; }
keep() { # keep NAME: standard input becomes that secret, unless it is there
  [ -s "$folder/$1" ] && return
  cat > "$folder/.new-$1"
  chmod 0444 "$folder/.new-$1"
  mv "$folder/.new-$1" "$folder/$1"
}
value() { cat "$folder/$1"; }
uri() { # uri SCHEME LOGIN NAME-OF-ITS-PASSWORD ADDRESS
  printf '%s://%s:' "$1" "$2"
  value "$3"
  printf '@%s' "$4"
}

random | keep postgres-password
random | keep database-password
random | keep broker-password
printf 'admin' | keep admin-username
random 12 | keep admin-password
printf 'flower' | keep flower-username
random 12 | keep flower-password
uri postgresql postgres postgres-password postgres:5432/postgres | keep database-admin-uri
uri postgresql ie_app_a database-password postgres:5432/insight | keep database-uri
uri redis ie broker-password redis:6379/0 | keep broker-uri
key=$(random 4)
printf '{"signing": "%s", "keys": [{"kid": "%s", "alg": "HS256", "secret": "%s"}]}\n' "$key" "$key" "$(random 32)" |
  keep jwt-keyset.json
if [ "$1" = dev ]; then
  random | keep sales-password
  uri postgresql sales_reader sales-password postgres:5432/sales | keep source-sales-uri
fi
echo "The secrets of $1 are in docker/$folder; log in as admin with the password in docker/$folder/admin-password."
