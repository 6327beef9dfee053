#!/usr/bin/env bash
# Asks a port of this container for a path: exit code 0 when it answers 200. For images without curl.
set -eu
exec 3<> "/dev/tcp/127.0.0.1/$1"
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
head -n 1 <&3 | grep -q ' 200'
