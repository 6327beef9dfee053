"""Asks one address whether all is well: exit code 0 when it answers 200. Quick: standard library only."""

import sys
from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import urlsplit

address = urlsplit(sys.argv[1])
connection = HTTPConnection(address.hostname or "", address.port, timeout=3)
connection.request("GET", address.path)
answer = connection.getresponse()
answer.read()  # to close a connection with something unread looks like a fault to the other side
sys.exit(answer.status != HTTPStatus.OK)
