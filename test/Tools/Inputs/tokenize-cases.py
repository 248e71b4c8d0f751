"""Runs TOOL tokenize on every third case (the unit tests see all) of DIRECTORY/cases.json."""

import json
import pathlib
import subprocess
import sys

tool, directory = sys.argv[1:]
cases = json.loads(pathlib.Path(directory, "cases.json").read_text(encoding="utf-8"))["cases"]
for case in cases[::3]:
    for option, key in (("--special", "ids"), ("--special=false", "ids_plain")):
        done = subprocess.run([tool, "tokenize", directory, "--text=-", option], input=case["text"].encode(),
                              capture_output=True, check=True)
        assert json.loads(done.stdout) == case[key], (option, case, done.stdout)
assert cases
