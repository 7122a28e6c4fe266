#!/usr/bin/env python3
"""check_size FILE... - fails on a C file of 1000 lines, a function over 100 lines, or one whose
cyclomatic complexity is over 25 (one, and one for each if, for, while, case, &&, || and ?).

Tables of numbers (a name that ends in _weights or _table) are data and may be long. Prints one line
for each fault; -v prints every function with its lines and complexity.
"""

import pathlib
import re
import sys

FILE_LINES, FUNCTION_LINES, COMPLEXITY = 1000, 100, 25
NOISE = re.compile(
    r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|^[ \t]*\#(?:\\\n|[^\n])*""", re.S | re.M
)
BRANCH = re.compile(r"\b(?:if|for|while|case)\b|&&|\|\||\?")
DATA = re.compile(r"_(?:weights|table)\.[ch]$")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def functions(text):
    """Yields (name, first line, last line, complexity) of each function body in preprocessed-looking C."""
    text = NOISE.sub(blank, text)
    depth = start = 0
    name = None
    head = 0  # where the text before the current top-level brace begins
    for match in re.finditer(r"[{};]", text):
        at, char = match.start(), match.group()
        if char == "{":
            if depth == 0:
                before = re.search(r"(\w+)\s*\((?:[^{};]*)\)\s*$", text[head:at])
                name, start = (before.group(1), at) if before else (None, at)
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                if name:
                    body = text[start:at]
                    line = text.count("\n", 0, start) + 1
                    yield name, line, line + body.count("\n"), 1 + len(BRANCH.findall(body))
                head = at + 1
        elif depth == 0:
            head = at + 1


def check(path, verbose):
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    faults = []
    if lines >= FILE_LINES and not DATA.search(path.name):
        faults.append(f"{path}: {lines} lines, {FILE_LINES} are too many: it is about more than one thing")
    for name, first, last, complexity in functions(text):
        length = last - first + 1
        if verbose:
            print(f"{path}:{first}: {name} lines={length} complexity={complexity}")
        if length > FUNCTION_LINES:
            faults.append(f"{path}:{first}: {name} is {length} lines long, the limit is {FUNCTION_LINES}")
        if complexity > COMPLEXITY:
            faults.append(f"{path}:{first}: {name} has a complexity of {complexity}, the limit is {COMPLEXITY}")
    return faults


def main():
    names = [a for a in sys.argv[1:] if a != "-v"]
    faults = [f for n in names for f in check(pathlib.Path(n), "-v" in sys.argv[1:])]
    if faults:
        print("\n".join(faults), file=sys.stderr)
    else:
        print(f"size: {len(names)} files within the limits")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
