"""What the benchmarks share: the program under test, summaries of numbers, the line of JSON."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()
HULLO = os.environ.get("HULLO") or str(BUILD / "hullo")
os.environ.setdefault("HULLO_SHARE", str(TOP / "share"))


def cache_folder(name):
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "hullo" / "bench" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def quantile(values, q):
    """Between the two nearest values."""
    v = sorted(values)
    at = q * (len(v) - 1)
    low = int(at)
    high = min(low + 1, len(v) - 1)
    return v[low] + (v[high] - v[low]) * (at - low)


def summary(values, digits=1):
    """Median, 90th percentile, extremes and the number of samples; None values do not count."""
    v = [x for x in values if x is not None]
    if not v:
        return {"n": 0}
    return {
        "median": round(quantile(v, 0.5), digits),
        "p90": round(quantile(v, 0.9), digits),
        "min": round(min(v), digits),
        "max": round(max(v), digits),
        "n": len(v),
    }


def load():
    return round(os.getloadavg()[0], 2)


def emit(bench, load_before, **fields):
    """The result, one line: how busy the machine was is part of it."""
    print(
        json.dumps(
            {"bench": bench, **fields, "cores": os.cpu_count(), "load": [load_before, load()]},
            ensure_ascii=False,
        ),
        flush=True,
    )


def skip(bench, why):
    print(json.dumps({"bench": bench, "skipped": why}), flush=True)
    sys.exit(0)


def has_models():
    """The local models are there: `hullo models path` knows."""
    for name in ("silero-vad", "moonshine-tiny-en", "qwen2.5-coder-0.5b", "piper-joe-en"):
        found = subprocess.run([HULLO, "models", "path", name], capture_output=True, text=True)
        if found.returncode != 0 or not Path(found.stdout.strip()).exists():
            return False
    return True


def missing(*programs):
    return [p for p in programs if shutil.which(p) is None]
