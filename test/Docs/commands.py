"""Runs the commands of a page in order: lines indented by four that begin with linnet-.

usage: commands.py PAGE DIR BIN

They run in DIR with the tools of BIN. Prints each and its exit code; stops at the first that fails.
"""
import os
import re
import subprocess
import sys

page, directory, tools = sys.argv[1:4]
commands = [line[4:].split("#")[0].strip() for line in open(page) if re.match(r"    linnet-\w+ ", line)]
environment = dict(os.environ, PATH=tools + os.pathsep + os.environ["PATH"])
for command in commands:
    done = subprocess.run(command.split(), cwd=directory, env=environment, stdout=subprocess.DEVNULL)
    print(command, "->", done.returncode)
    if done.returncode:
        sys.exit(1)
print(len(commands), "commands")
