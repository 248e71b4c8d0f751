"""Runs every ```mlir example of the dialect's documentation through a tool.

usage: examples.py TOOL FILE.td...

An example is a few operations whose operands are given elsewhere: each
undefined name becomes an argument of a function around them, with the type
the example's own signature says.
"""
import re
import subprocess
import sys


def split_types(text):
    """The comma-separated types of `text`, respecting brackets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += c in "<(["
        depth -= c in ">)]" and text[max(i - 1, 0)] != "-"
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    parts.append(text[start:].strip())
    return [p for p in parts if p]


def statements(block):
    """Joins continuation lines: a statement starts with %name =."""
    out = []
    for line in block.strip().splitlines():
        if re.match(r"\s*%[\w, %:]*=", line) or not out:
            out.append(line.strip())
        else:
            out[-1] += " " + line.strip()
    return out


def wrap(block):
    """A module with the example in a function, undefined names as arguments."""
    defined, arguments, body, extra = set(), {}, [], []
    for statement in statements(block):
        results, _, rest = statement.partition("=")
        # Attribute dictionaries hold colons of their own (not a key's {}).
        plain = re.sub(r"\{[a-z][^}]*\}", "", rest)
        head, _, signature = plain.partition(" : ")
        names = re.findall(r"%[\w]+", head)
        op = re.search(r"linnet\.(\w+)", head).group(1)
        # Operands before those of the transition.
        leading = {"scan": 3, "step": 3, "ssm_kernel": 2}.get(op)
        if leading:
            inner = re.search(r"#linnet\.[\w<>]+\(([^)]*)\)", head)
            parameters = re.findall(r"%\w+", inner.group(1)) if inner else []
            others = [n for n in names if n not in parameters]
            names = others[:leading] + parameters + others[leading:]
        if signature.strip().startswith("("):
            types = split_types(re.match(r"\((.*?)\)\s*->", signature.strip()).group(1))
        elif op == "weight":
            types = ["index"] * len(names)
        else:
            types = [signature.strip()] * len(names)
        for name, type_ in zip(names, types):
            if name not in defined:
                arguments.setdefault(name, type_)
        defined |= set(re.findall(r"%\w+", results))
        for callee in re.findall(r"\[@(\w+)\]", head):
            extra.append(f"func.func private @{callee}(%x: tensor<?x?x32xf32>, %layer: index, %p: index) "
                         "-> tensor<?x?x32xf32> { return %x : tensor<?x?x32xf32> }")
        # A cell takes one token: the example's types without dimension 1.
        for callee in re.findall(r"recurrence @(\w+)", head):
            one = "tensor<?x32xf32>"
            extra.append(f"func.func private @{callee}(%x: {one}, %layer: index, %h: {one}) -> ({one}, {one})")
        body.append(statement)
    parameters = ", ".join(f"{n}: {t}" for n, t in arguments.items())
    return "\n".join(extra + [f"func.func @example({parameters}) {{"] + body + ["return", "}"])


def main():
    tool, failures, count = sys.argv[1], 0, 0
    for path in sys.argv[2:]:
        text = open(path).read()
        for op in re.finditer(r'Linnet_\w+<"(\w+)"(.*?)(?=\ndef |\Z)', text, re.S):
            blocks = re.findall(r"```mlir\n(.*?)```", op.group(2), re.S)
            if not blocks and "description" in op.group(2):
                print(f"{path}: {op.group(1)}: expected an example")
                failures += 1
            for block in blocks:
                count += 1
                module = wrap(block)
                done = subprocess.run([tool], input=module, text=True, capture_output=True)
                if done.returncode:
                    failures += 1
                    print(f"{path}: {op.group(1)}: the example does not parse\n{module}\n{done.stderr}")
    print(f"{count} examples, {failures} failures")
    sys.exit(1 if failures or not count else 0)


main()
