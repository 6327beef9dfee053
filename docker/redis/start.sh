#!/bin/sh
# Starts Redis with one user, whose password it knows as a hash only. `requirepass` is never set.
set -eu
umask 077
hash=$(sha256sum < /var/run/insight/broker/password)
{
  echo "user default off"
  echo "user ie on #${hash%% *} ~* &* +@all -@admin -@dangerous +info"
} > /tmp/users.acl
exec redis-server --bind '*' '-::*' --protected-mode no --dir /data --aclfile /tmp/users.acl --save '' \
  --appendonly yes --appendfsync everysec --maxmemory "$MAXMEMORY" --maxmemory-policy noeviction
