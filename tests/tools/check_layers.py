#!/usr/bin/env python3
"""check_layers [ROOT] - holds the includes under ROOT/src against the layers of the design.

Fails on an include that goes left, on one written without its folder, on one that names no file, and
on a header without the include guard HULLO_FOLDER_NAME_H. Prints one line for each fault.
"""

import pathlib
import re
import sys

# A folder may include itself and what stands to its right. Folders of one set do not include each other.
LAYERS = [
    {"cmd"},
    {"ui"},
    {"session"},
    {"backend", "tools", "audio", "store"},
    {"models"},
    {"dsp", "net", "conf"},
    {"util"},
]
# Backends stand beside the column: only main.c and registry.c know them.
BESIDE = {
    "realtime": {"backend", "models", "net", "dsp", "conf", "util"},
    "local": {"backend", "models", "net", "dsp", "conf", "util"},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]*)"', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def allowed():
    table = dict(BESIDE)
    for i, layer in enumerate(LAYERS):
        right = set().union(*LAYERS[i + 1 :])
        table.update({folder: right for folder in layer})
    return table


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def without_comments(text):
    return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def include_fault(src, folder, target, table):
    """Why a file of this folder ("" for src itself) may not include the target, or None."""
    parts = target.split("/")
    if len(parts) != 2 or parts[0] in ("", ".", ".."):
        return "is written without its folder"
    if not (src / target).is_file():
        return "names no file under src"
    if parts[0] not in table:
        return "is in a folder that the layers do not know"
    if folder and parts[0] != folder and parts[0] not in table[folder]:
        return f"goes left: {folder} may use only {', '.join(sorted(table[folder])) or 'libc'}"
    return None


def guard_fault(path, text):
    macro = "HULLO_" + re.sub(r"[^A-Z0-9]", "_", "_".join(path.parts[-2:]).upper())
    directives = re.findall(r"^[ \t]*#[ \t]*(\w+)[ \t]*(\w*)", text, re.M)
    if directives[:2] != [("ifndef", macro), ("define", macro)] or directives[-1][0] != "endif":
        return f"has no include guard {macro}"
    return None


def check(root):
    src = root / "src"
    table = allowed()
    faults = []
    for path in sorted(src.rglob("*.[ch]")):
        name = path.relative_to(root)
        text = without_comments(path.read_text(encoding="utf-8"))
        folder = "/".join(path.relative_to(src).parts[:-1])
        if folder and folder not in table:
            faults.append(f"{name}: stands in a folder that the layers do not know")
            continue
        for match in INCLUDE.finditer(text):
            fault = include_fault(src, folder, match.group(1), table)
            if fault:
                faults.append(f'{name}:{line_of(text, match.start())}: "{match.group(1)}" {fault}')
        if path.suffix == ".h":
            fault = guard_fault(path, text)
            if fault:
                faults.append(f"{name}: {fault}")
    return faults


def main():
    faults = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(faults) or "layers: every include goes right", file=sys.stderr if faults else sys.stdout)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
