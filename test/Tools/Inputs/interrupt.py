"""interrupt.py DIRECTORY SECONDS,... COMMAND...

Interrupts COMMAND after so many seconds; each time it has to end by the signal
and DIRECTORY has to be empty afterwards.
"""

import os
import signal
import subprocess
import sys
import time



def hear():
    # A runner may have been started with the signals ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


directory, delays, *command = sys.argv[1:]
command = command[command.index(next(c for c in command if os.path.basename(c).startswith("linnet-"))):]
interrupted = 0
for i, delay in enumerate(map(float, delays.split(","))):
    number = signal.SIGTERM if i % 2 else signal.SIGINT
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=hear)
    time.sleep(delay)
    process.send_signal(number)
    code = process.wait()
    if code == 0:
        break  # a fast machine: it was done already
    if code != -number:
        sys.exit(f"expected to end by {number!r} after {delay} s, but got {code}")
    interrupted += 1
    if left := os.listdir(directory):
        sys.exit(f"expected nothing after {delay} s, but got {left}")
if not interrupted:
    sys.exit("expected to interrupt at least one run")
