#!/bin/sh
# demo.sh - fetches the models, then answers a real recording: aloud, or into a WAV file where there is no sound
# device. HULLO names the program. Prints what was heard, what was said, and how long each stage took.
set -eu
HULLO=${HULLO:-build/hullo}
answer=${DEMO_ANSWER:-$(dirname "$HULLO")/demo-answer.wav}

"$HULLO" models pull --yes
recording=$("$HULLO" models path jfk)/jfk.wav

play=''
if "$HULLO" devices --json 2>/dev/null | grep '"default_output":true' >/dev/null; then
    play=--play
fi

echo "the question is a recording: $recording"
ask() { result=$("$HULLO" ask "$recording" --quiet --json --force -o "$answer" ${1:+"$1"}); }
status=0
ask $play || status=$?
if [ $status -eq 5 ] && [ -n "$play" ]; then
    echo "the sound device does not work: the answer goes into a file" >&2
    play='' status=0
    ask || status=$?
fi
[ $status -eq 0 ] || exit $status

printf '%s\n' "$result" | python3 -c '
import json, sys

for line in sys.stdin:
    reply = json.loads(line)
    print("heard:", reply.get("transcript", ""))
    print("said: ", reply.get("text", ""))
    for stage, ms in reply.get("latency_ms", {}).items():
        if ms is not None:
            print(f"    {stage.replace(chr(95), chr(32)):24} {ms:8.0f} ms")'
if [ -n "$play" ]; then
    echo "the answer was played; it is also in $answer"
else
    echo "no sound device: the answer is in $answer"
fi
