#!/bin/sh
# announce.sh [nomodels] - prints one line that says what will be fetched beside packages; nothing when all is here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
engines=0 models=0
[ "${LOCAL-1}" = 0 ] || engines=$(sh "$here/deps.sh" bytes)
echo "$engines $models" | awk '
    $1 { text = sprintf("libraries for the local engines, %.0f MB", $1 / 1e6) }
    $2 { text = text (text ? "; " : "") sprintf("models, %.0f MB", $2 / 1e6) }
    $1 + $2 { printf "will also fetch: %s (%.0f MB in all)\n", text, ($1 + $2) / 1e6 }'
