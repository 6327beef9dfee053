#!/bin/sh
# Exit code 0 when Redis answers its user. The password goes through a pipe: no argument or variable shows it.
{ printf 'AUTH ie '; cat /var/run/insight/broker/password; printf '\nPING\n'; } | redis-cli -h 127.0.0.1 | grep -q PONG
