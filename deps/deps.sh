#!/bin/sh
# deps - the libraries that distributions do not package: sherpa-onnx (with ONNX Runtime) and libllama.
#   deps.sh prefix    prints the folder that holds include/, lib/ and flags.mk, there already or not
#   deps.sh install   fills it: a library that pkg-config knows is used as it is, the rest comes from deps.lock
#   deps.sh bytes     prints how many bytes install would fetch
#   deps.sh venv [REQUIREMENTS]
#                     prints the Python of a virtual environment, that of the tests or one with the packages of another
#                     list; makes it when it is not there
#   deps.sh node      prints the folder with the Node.js packages that the tests talk with (tests/peers/package-lock.json);
#                     fetches them when they are not there. Wants npm
# CPU=native (default): for this machine's CPU. CPU=portable: for any CPU of its architecture (x86-64-v2, armv8-a).
# Everything lies in ${XDG_CACHE_HOME:-~/.cache}/hullo: archives in downloads/, kept for the next time; a prefix
# in deps/KEY, where the key covers the lock, these flags, the system and the CPU's features, so that a cache
# carried to another machine is not used there. A prefix appears whole or not at all.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PYTHON=${PYTHON:-python3}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
CPU=${CPU:-native}

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

[ -n "${XDG_CACHE_HOME-}${HOME-}" ] ||
    die "no folder to keep downloads in: set HOME or XDG_CACHE_HOME, then try again"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hullo
downloads=$cache/downloads

digest() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$@"; else shasum -a 256 "$@"; fi | cut -d ' ' -f 1
}

system=$(uname -s | tr '[:upper:]' '[:lower:]')
machine=$(uname -m)
platform=$system-$machine
[ "$system" != linux ] || ! ls /lib/ld-musl-* >/dev/null 2>&1 || platform=linux-musl-$machine

# --- what to build, and for what

# Links a program against a library of the distribution, for an old one lacks what is called here.
links() {
    $PKG_CONFIG --exists "$1" 2>/dev/null || return 1
    # shellcheck disable=SC2046 # lists of flags
    cc -w -x c - $($PKG_CONFIG --cflags "$1") -o /dev/null -x none $($PKG_CONFIG --libs "$1") >/dev/null 2>&1
}

system_llama() {
    links llama <<'C'
#include <llama.h>
int main(void) { return llama_memory_seq_rm(llama_get_memory(0), 0, 0, 0) && llama_sampler_init_grammar(0, 0, 0); }
C
}

system_sherpa() {
    links sherpa-onnx <<'C'
#include <sherpa-onnx/c-api/c-api.h>
int main(void) {
    SherpaOnnxOfflineRecognizerConfig c = {0};
    c.model_config.moonshine.merged_decoder = "";
    return SherpaOnnxCreateOfflineRecognizer(&c) != 0;
}
C
}

cpu_flags() {
    case $CPU-$machine in
    native-*) echo -DGGML_NATIVE=ON ;;
    portable-x86_64) echo -DGGML_NATIVE=OFF -DGGML_SSE42=ON -DGGML_AVX=OFF -DGGML_AVX2=OFF -DGGML_BMI2=OFF \
        -DGGML_FMA=OFF -DGGML_F16C=OFF ;;
    portable-*) echo -DGGML_NATIVE=OFF ;;
    *) die "unknown CPU setting '$CPU': use CPU=native or CPU=portable" ;;
    esac
}

# Without OpenMP: its threads and those of ONNX Runtime would fight for the same cores. patience.h does its part.
llama_flags="-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DCMAKE_INSTALL_LIBDIR=lib -DGGML_OPENMP=OFF
    -DGGML_CCACHE=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_CURL=OFF -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TESTS=OFF
    -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF
    $(cpu_flags)"

# The features that a native build may use, one line.
cpu_features() {
    [ "$CPU" = native ] || return 0
    if [ "$system" = darwin ]; then
        sysctl -n machdep.cpu.brand_string
    else
        grep -m 1 -E '^(flags|Features)' /proc/cpuinfo | tr ' ' '\n' | LC_ALL=C sort |
            grep -E '^(sse|ssse|avx|amx|fma|f16c|bmi|popcnt|gfni|vaes|vpclmul|asimd|sve|sme|i8mm|bf16|fp|dotprod|crc)' |
            tr '\n' ' '
    fi
}

wanted=''
system_sherpa || wanted="$wanted sherpa-onnx-core"
system_llama || wanted="$wanted llama-cpp-python"

find_key() {
    key=$({
        cat "$here/deps.lock" "$here/patience.h"
        echo "1 $wanted $platform $llama_flags"
        cpu_features
        # Libraries built against one C library do not run on an older one.
        grep -E '^(ID|VERSION_ID)=' /etc/os-release 2>/dev/null || sw_vers -productVersion 2>/dev/null || :
    } | digest | cut -c 1-16)
    prefix=$cache/deps/$key
    # `sudo make install` uses what its user has built.
    [ -e "$prefix/flags.mk" ] || [ -z "${SUDO_USER-}" ] || [ -n "${XDG_CACHE_HOME-}" ] || {
        theirs=$(getent passwd "$SUDO_USER" 2>/dev/null | cut -d : -f 6)/.cache/hullo/deps/$key
        [ ! -e "$theirs/flags.mk" ] || prefix=$theirs
    }
}

# --- fetching

# Sets version, licence, bytes, file and sha256 of a package for this platform.
look_up() {
    line=$(awk -v name="$1" -v platform="$platform" \
        '$1 == name && ($3 == platform || $3 == "any") { print $2, $4, $5, $6, $7 }' "$here/deps.lock")
    [ -n "$line" ] || die "no '$1' for $platform is known: build without the local engines (make LOCAL=0)," \
        "or install it so that pkg-config finds it"
    read -r version licence bytes file sha256 <<LINE
$line
LINE
}

is_here() { [ -f "$downloads/$file" ] && [ "$(digest "$downloads/$file")" = "$sha256" ]; }

# pip names a file after what it is: a source archive is taken as it is, and its build backend replaced by
# one that does nothing, so that no code of it runs and no build tools are fetched.
pip_download() {
    bar=off
    [ ! -t 2 ] || bar=on
    case $file in
    *.whl) set -- --only-binary=:all: ;;
    *) set -- --no-binary="$name" --no-build-isolation ;;
    esac
    INERT_NAME=$name INERT_VERSION=$version PYTHONPATH=$here/inert "$PYTHON" -m pip download -q \
        --disable-pip-version-check --no-cache-dir --progress-bar $bar --timeout 20 --retries 2 \
        --no-deps "$@" --require-hashes -r "$part/hash.txt" -d "$part" >&2
}

fetch() {
    name=$1
    look_up "$name"
    mkdir -p "$downloads"
    ! is_here || return 0
    rm -f "$downloads/$file"
    part=$downloads/.part-$file
    for try in 1 2 3; do
        rm -rf "$part"
        mkdir "$part"
        echo "$name==$version --hash=sha256:$sha256" >"$part/hash.txt"
        say "fetching $name $version ($((bytes / 1000000)) MB, licence $licence)"
        if pip_download && [ -f "$part/$file" ]; then
            mv "$part/$file" "$downloads/$file"
            rm -rf "$part"
            is_here && return 0
            die "'$file' is not what the lock names: its sha256 differs"
        fi
        [ $try = 3 ] || {
            say "that did not work; trying again"
            sleep $((try * 2))
        }
    done
    rm -rf "$part"
    die "could not fetch '$name' $version: see above. With '$downloads/$file' in place no network is needed," \
        "and 'make LOCAL=0' builds without the local engines"
}

# --- building

unpack_sherpa() {
    mkdir -p "$building/wheel" "$building/out/lib" "$building/out/include"
    "$PYTHON" -m zipfile -e "$downloads/$file" "$building/wheel"
    cp -R "$building/wheel/sherpa_onnx/include/sherpa-onnx" "$building/out/include/"
    cp "$building"/wheel/sherpa_onnx/lib/libsherpa-onnx-c-api.* "$building"/wheel/sherpa_onnx/lib/libonnxruntime*.* \
        "$building/out/lib/"
}

# Turns "[ 42%] Building..." into a line that stays where it is, or into a few lines in a log.
show_progress() {
    interactive=0
    [ ! -t 2 ] || interactive=1
    awk -v interactive=$interactive '
        match($0, /^\[ *[0-9]+%\]/) {
            percent = substr($0, 2, RLENGTH - 3) + 0
            if (interactive) printf "\r  libllama: %3d %%", percent > "/dev/stderr"
            else if (percent >= next_percent) { printf "  libllama: %d %%\n", percent > "/dev/stderr"; next_percent = percent + 20 }
            fflush("/dev/stderr")
        }
        END { if (interactive) printf "\n" > "/dev/stderr" }'
}

build_llama() {
    jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
    # shellcheck disable=SC2016 # $ORIGIN is for the loader
    origin='$ORIGIN'
    [ "$system" != darwin ] || origin=@loader_path
    mkdir -p "$building/source"
    tar -xzf "$downloads/$file" -C "$building/source" "${file%.tar.gz}/vendor/llama.cpp"
    # shellcheck disable=SC2086 # a list of flags
    cmake -S "$building/source/${file%.tar.gz}/vendor/llama.cpp" -B "$building/llama" -G 'Unix Makefiles' \
        -DCMAKE_INSTALL_PREFIX="$building/out" -DCMAKE_INSTALL_RPATH="$origin" \
        -DCMAKE_C_FLAGS="-include '$here/patience.h'" $llama_flags >"$log" 2>&1 || return 1
    {
        cmake --build "$building/llama" -j "$jobs" 2>&1 || echo failed >"$building/failed"
    } | tee -a "$log" | show_progress
    [ ! -e "$building/failed" ] || return 1
    cmake --install "$building/llama" --strip >>"$log" 2>&1 || return 1
    # They would name the folder that is about to move.
    rm -rf "$building/out/lib/cmake" "$building/out/lib/pkgconfig" "$building/out/bin"
}

write_flags() {
    cflags="-isystem $prefix/include" libs="-L$prefix/lib"
    case $wanted in
    *sherpa*) libs="$libs -lsherpa-onnx-c-api" ;;
    *) cflags="$cflags $($PKG_CONFIG --cflags sherpa-onnx)" libs="$libs $($PKG_CONFIG --libs sherpa-onnx)" ;;
    esac
    case $wanted in
    *llama*) libs="$libs -lllama -lggml -lggml-base" ;;
    *) cflags="$cflags $($PKG_CONFIG --cflags llama)" libs="$libs $($PKG_CONFIG --libs llama)" ;;
    esac
    printf 'DEPS_CFLAGS = %s\nDEPS_LIBS = %s\n' "$cflags" "$libs" >"$building/out/flags.mk"
}

build() {
    [ ! -e "$prefix/flags.mk" ] || return 0
    building=$cache/deps/.building log=$cache/deps/build.log
    say "the local engines are built once for this user, in $prefix (5 minutes or so)"
    rm -rf "$building"
    mkdir -p "$building/out/lib" "$building/out/include"
    for package in $wanted; do
        fetch "$package"
        case $package in
        sherpa*) unpack_sherpa ;;
        llama*) build_llama || {
            tail -n 20 "$log" >&2
            die "libllama could not be built: the whole log is in '$log'"
        } ;;
        esac
    done
    cp "$here/NOTICES" "$building/out/"
    write_flags
    rm -rf "$prefix"
    mv "$building/out" "$prefix"
    rm -rf "$building"
}

venv() {
    requirements=${1:-$here/../tests/requirements.txt}
    key=$({
        cat "$requirements"
        "$PYTHON" -c 'import sys, platform; print(sys.version, sys.base_prefix, platform.machine(), platform.libc_ver())'
    } | digest | cut -c 1-16)
    environment=$cache/venv/$key
    if [ ! -e "$environment/complete" ]; then
        say "making a Python environment in $environment"
        rm -rf "$environment"
        "$PYTHON" -m venv "$environment" >&2
        for try in 1 2 3; do
            ! "$environment/bin/python" -m pip install -q --disable-pip-version-check --timeout 20 --retries 2 \
                --no-deps --only-binary=:all: --require-hashes -r "$requirements" >&2 || break
            [ $try != 3 ] || die "the packages of '$requirements' could not be fetched: see above"
            sleep $((try * 2))
        done
        touch "$environment/complete"
    fi
    echo "$environment/bin/python"
}

# Nothing of the packages is run on the way: no scripts of theirs, and their hashes are those of the lock.
node() {
    list=$here/../tests/peers
    modules=$cache/node/$(digest "$list/package-lock.json" | cut -c 1-16)
    if [ ! -e "$modules/complete" ]; then
        rm -rf "$modules"
        mkdir -p "$modules"
        cp "$list/package.json" "$list/package-lock.json" "$modules/"
        for try in 1 2 3; do
            ! npm ci --prefix "$modules" --cache "$modules/.npm" --ignore-scripts --no-audit --no-fund \
                --loglevel=error >&2 || break
            [ $try != 3 ] || die "the packages of '$list/package-lock.json' could not be fetched: see above"
            sleep $((try * 2))
        done
        rm -rf "$modules/.npm"
        touch "$modules/complete"
    fi
    echo "$modules/node_modules"
}

# One at a time for each user, however many trees: the second waits and finds the work done.
locked() {
    mkdir -p "$cache/deps"
    HULLO_DEPS_LOCKED=1 exec "$PYTHON" -c '
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o644)
os.set_inheritable(lock, True)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("waiting for another build to finish its share of this", file=sys.stderr)
    fcntl.flock(lock, fcntl.LOCK_EX)
os.execvp(sys.argv[2], sys.argv[2:])' "$cache/deps/.lock" sh "$here/deps.sh" "$@"
}

# What make was told concerns hullo, not the libraries that it shares with other builds.
unset MAKEFLAGS MFLAGS DESTDIR CC CXX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS

# Read to the end before it starts: the file may change while a build runs.
{
case ${1-} in
prefix)
    find_key
    echo "$prefix"
    ;;
install)
    find_key
    [ ! -e "$prefix/flags.mk" ] || exit 0
    sh "$here/bootstrap.sh" check build local
    [ -n "${HULLO_DEPS_LOCKED-}" ] || locked install
    build
    ;;
bytes)
    find_key
    total=0
    if [ ! -e "$prefix/flags.mk" ]; then
        for name in $wanted; do
            look_up "$name"
            [ -f "$downloads/$file" ] || total=$((total + bytes))
        done
    fi
    echo $total
    ;;
venv)
    [ -n "${HULLO_DEPS_LOCKED-}" ] || locked "$@"
    venv "${2-}"
    ;;
node)
    [ -n "${HULLO_DEPS_LOCKED-}" ] || locked "$@"
    node
    ;;
*)
    say "usage: deps.sh prefix|install|bytes|venv [REQUIREMENTS]|node"
    exit 2
    ;;
esac
exit
}
