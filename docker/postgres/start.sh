#!/bin/sh
# Starts PostgreSQL; makes its data directory first where there is none. Needs its programs, no vendor's entrypoint.
# The data directory appears by one rename, so a start that dies half-way leaves none.
set -eu
umask 077
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA.new"
  mkdir -p "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username=postgres --pwfile=/var/run/insight/database-admin/password \
    --auth=trust --encoding=UTF8 --no-locale --data-checksums
  # A sample to ask questions of, where the environment mounts one.
  if [ -s /etc/sales/sales.sql ]; then
    pg_ctl --pgdata="$PGDATA.new" --wait --options="-c listen_addresses= -k /tmp" start
    createdb -h /tmp -U postgres sales
    psql -h /tmp -U postgres -d sales -v ON_ERROR_STOP=1 -qf /etc/sales/sales.sql
    pg_ctl --pgdata="$PGDATA.new" --wait --mode=fast stop
  fi
  mv -T "$PGDATA.new" "$PGDATA"
  sync
fi
printf 'local all all scram-sha-256\nhost all all all scram-sha-256\n' > "$PGDATA/pg_hba.conf"
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
