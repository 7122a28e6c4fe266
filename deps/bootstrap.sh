#!/bin/sh
# bootstrap - what hullo needs from the system's package manager (the table deps/packages).
#   bootstrap.sh check GROUP...    says what is missing and the command that installs it; exit 1 if any
#   bootstrap.sh install GROUP...  installs what is missing: Debian and Ubuntu, as root or with sudo.
#                                  Elsewhere the same as check. Nothing missing: no network.
# NOTE, in the environment, is printed after the list of packages: what else will be fetched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PKG_CONFIG=${PKG_CONFIG:-pkg-config}

say() { printf '%s\n' "$*" >&2; }
have_command() { command -v "$1" >/dev/null 2>&1; }

# The package manager, and the column of its names in the table.
find_manager() {
    manager='' column=0
    for pair in apt-get:3 dnf:4 pacman:5 brew:6 apk:7 zypper:8; do
        if have_command "${pair%:*}"; then
            manager=${pair%:*} column=${pair#*:}
            return
        fi
    done
}

command_for() {
    case $manager in
    apt-get) echo "apt-get install --no-install-recommends $*" ;;
    dnf) echo "dnf install $*" ;;
    pacman) echo "pacman -S --needed $*" ;;
    brew) echo "brew install $*" ;;
    apk) echo "apk add $*" ;;
    zypper) echo "zypper install $*" ;;
    esac
}

# Homebrew's folders are not in every compiler's search path.
compiles() {
    printf '#include <%s>\n' "$1" |
        cc -I/opt/homebrew/include -I/usr/local/include -E -x c - >/dev/null 2>&1
}

# True when the fuzzing run time stands beside clang.
has_fuzzer() {
    have_command clang || return 1
    for file in "$(clang -print-resource-dir 2>/dev/null)"/lib/*/*clang_rt.fuzzer*; do
        [ -e "$file" ] && return 0
    done
    return 1
}

has() {
    case $1 in
    cmd:*) have_command "${1#cmd:}" ;;
    pc:*) have_command "$PKG_CONFIG" && $PKG_CONFIG --exists "${1#pc:}" ;;
    h:*) have_command cc && compiles "${1#h:}" ;;
    py:*) have_command python3 && python3 -c "import ${1#py:}" 2>/dev/null ;;
    ca:) [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/ssl/cert.pem ] ||
        [ -e /etc/pki/tls/certs/ca-bundle.crt ] || [ -e /etc/ssl/ca-bundle.pem ] ;;
    fuzzer:) has_fuzzer ;;
    esac
}

# Of a|b the first that apt knows; before its lists are there, the first.
choose() {
    if [ "$manager" = apt-get ] && [ "$1" != "${1#*|}" ]; then
        for name in $(echo "$1" | tr '|' ' '); do
            ! apt-cache show "$name" >/dev/null 2>&1 || { echo "$name"; return; }
        done
    fi
    echo "${1%%|*}"
}

# Sets needs (what is missing) and packages (their names here, each once).
find_missing() {
    needs='' packages=''
    while read -r group need names; do
        case " $groups " in *" $group "*) ;; *) continue ;; esac
        has "$need" && continue
        case " $needs " in *" $need "*) continue ;; esac
        needs="$needs $need"
        [ "$column" -gt 0 ] || continue
        name=$(echo "$names" | awk -v n=$((column - 2)) '{print $n}')
        [ "$name" != - ] || continue
        name=$(choose "$name")
        case " $packages " in *" $name "*) ;; *) packages="$packages $name" ;; esac
    done <<TABLE
$(grep -v '^#' "$here/packages" | grep .)
TABLE
    needs=${needs# } packages=${packages# }
}

explain() {
    if [ -z "$manager" ]; then
        say "missing: $needs"
        say "install them with your system's package manager, then try again"
    elif [ "$manager" = brew ] && [ -z "$packages" ]; then
        say "missing: $needs"
        say "install Apple's command-line tools, then try again: xcode-select --install"
    else
        say "missing packages: $packages"
        say "install them, then try again:"
        if [ "$manager" = brew ] || [ "$(id -u)" = 0 ]; then
            say "    $(command_for "$packages")"
        else
            say "    sudo $(command_for "$packages")"
        fi
        [ "$manager" != brew ] || has cmd:cc || say "    xcode-select --install"
    fi
}

# How this user becomes root: nothing, sudo, or not at all.
find_root() {
    as_root=''
    [ "$(id -u)" != 0 ] || return 0
    have_command sudo || return 1
    as_root=sudo
    sudo -n true 2>/dev/null || [ -t 0 ] || return 1
}

# Megabytes that apt would fetch. --print-uris names each archive with its size.
apt_megabytes() {
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y --no-install-recommends --print-uris $packages 2>/dev/null |
        awk '/^\047/ { bytes += $3; n++ } END { printf "%d packages, %d MB", n, bytes / 1000000 + 0.5 }'
}

install_missing() {
    if [ "$manager" != apt-get ] || ! find_root; then
        explain
        exit 1
    fi
    # shellcheck disable=SC2086 # a list of words
    if ! apt-cache show $packages >/dev/null 2>&1; then
        say "reading the package lists"
        $as_root apt-get update -qq || say "the package lists could not be read anew; going on with those that are here"
        find_missing
    fi
    say "will install: $packages"
    say "    to fetch: $(apt_megabytes)"
    [ -z "${NOTE-}" ] || say "    $NOTE"
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 $packages >&2 || {
        # Lists older than the archive name versions that are gone.
        $as_root apt-get update -qq
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 $packages >&2
    }
    find_missing
    [ -z "$needs" ] || {
        say "still missing after the installation: $needs"
        exit 1
    }
}

verb=${1-} groups=''
[ $# -eq 0 ] || shift
groups="$*"
find_manager
case $verb in
check)
    find_missing
    [ -z "$needs" ] || {
        explain
        exit 1
    }
    ;;
install)
    find_missing
    if [ -n "$needs" ]; then
        install_missing
    elif [ -n "${NOTE-}" ]; then
        say "$NOTE"
    fi
    ;;
*)
    say "usage: bootstrap.sh check|install GROUP... (groups: build local test lint)"
    exit 2
    ;;
esac
