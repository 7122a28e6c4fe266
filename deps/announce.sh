#!/bin/sh
# announce.sh [MODEL...] - prints what will be fetched beside packages, as BYTES TEXT; nothing when all is here.
# Counts the standard models and those named.
# Needs no Python and no hullo, for on a new machine neither is there yet. LOCAL=0, MODELS=0: without them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
models_dir=${HULLO_MODELS_DIR:-${XDG_DATA_HOME:-${HOME-}/.local/share}/hullo/models}

# For each standard model of the manifest that has no folder yet: the bytes of the packages that it comes in.
# Reads the manifest as it is laid out, one member a line.
model_bytes() {
    awk -v dir="$models_dir" -v more=" $* " '
        function value() { sub(/^[^:]*: *"?/, ""); sub(/"?,? *$/, ""); return $0 }
        /^  "models"/ { in_models = 1 }
        !in_models && /^    "[^"]*": *\{/ { split($0, part, "\""); package = part[2] }
        !in_models && /^ *"bytes":/ { size[package] = value() }
        in_models && /^      "name":/ { model = value(); here = system("test -d \"" dir "/" model "\"") == 0 }
        in_models && /^      "standard":/ { wanted = (value() == "true" || index(more, " " model " ")) && !here }
        in_models && wanted && /^ *"package":/ { needed[value()] = 1 }
        END { for (p in needed) total += size[p]; printf "%d\n", total }' "$here/../share/models.json"
}

engines=0 models=0
if [ "${LOCAL-1}" != 0 ]; then
    engines=$(sh "$here/deps.sh" bytes)
    [ "${MODELS-1}" = 0 ] || [ ! -e "$here/../share/models.json" ] || models=$(model_bytes "$@")
fi
echo "$engines $models" | awk '
    $1 { text = sprintf("libraries for the local engines, %.0f MB", $1 / 1e6) }
    $2 { text = text (text ? "; " : "") sprintf("models, %.0f MB", $2 / 1e6) }
    text { printf "%.0f %s\n", $1 + $2, text }'
