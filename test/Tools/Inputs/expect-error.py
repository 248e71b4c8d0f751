"""expect-error.py DIRECTORY [--file-limit KIB] PATTERN COMMAND...

Runs COMMAND and checks that it exits 1, says one line on stderr which matches
the regular expression PATTERN, prints nothing on stdout, and leaves DIRECTORY
as empty as it was.
"""

import os
import re
import resource
import signal
import subprocess
import sys

directory, *rest = sys.argv[1:]
limit = None
if rest[0] == "--file-limit":
    limit = int(rest[1]) * 1024
    rest = rest[2:]
pattern, *command = rest


def restrict():
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


before = sorted(os.listdir(directory))
done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=restrict)
problems = []
if done.returncode != 1:
    problems.append(f"expected exit code 1, but got {done.returncode}")
if len(done.stderr.splitlines()) != 1 or "error: " not in done.stderr:
    problems.append("expected one line of error")
if not re.search(pattern, done.stderr):
    problems.append(f"expected {pattern}")
if done.stdout:
    problems.append(f"expected nothing on stdout, but got {done.stdout!r}")
after = sorted(os.listdir(directory))
if before != after:
    problems.append(f"expected {before} in {directory}, but got {after}")
if problems:
    sys.exit(f"{' '.join(command)}\n" + "\n".join(problems) + "\nstderr:\n" + done.stderr)
