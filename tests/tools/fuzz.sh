#!/bin/sh
# fuzz.sh PROGRAM CORPUS SECONDS - fuzzes PROGRAM, started from the seeds in CORPUS where there are any.
# Findings stay beside PROGRAM as PROGRAM.crash-*, .timeout-*, .oom-*.
set -eu
program=$1 seeds=$2 seconds=$3
grown=$program.corpus
mkdir -p "$grown"
[ -d "$seeds" ] || seeds=
# shellcheck disable=SC2086 # no seeds is no argument
if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$program." "$grown" $seeds >"$program.log" 2>&1; then
    echo "fuzz ${program##*/}: $(sed -n 's/^stat::number_of_executed_units: *//p' "$program.log") inputs, nothing found"
else
    tail -n 60 "$program.log" >&2
    echo "fuzz ${program##*/}: found something; the whole log is in '$program.log'" >&2
    exit 1
fi
