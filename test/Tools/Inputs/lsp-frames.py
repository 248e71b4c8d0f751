"""Puts the header of the language server protocol before every message."""

import sys

for message in sys.stdin.read().split("// -----\n"):
    body = message.strip().encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
