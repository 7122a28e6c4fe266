#!/bin/sh
# bootstrap - what hullo needs from the system's package manager (the table deps/packages).
#   bootstrap.sh check GROUP...    says what is missing and the command that installs it; exit 1 if any
#   bootstrap.sh install GROUP...  installs what is missing: Debian and Ubuntu, as root or with sudo.
#                                  Elsewhere the same as check. Nothing missing: no network.
# ALSO="BYTES TEXT", in the environment: what else will be fetched, to be said beforehand.
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

# "COUNT BYTES" of what apt would fetch; fails when its lists are not there. --print-uris gives each archive's size.
apt_plan() {
    # shellcheck disable=SC2086 # a list of words
    uris=$(apt-get install -y --no-install-recommends --print-uris $packages 2>/dev/null) || return 1
    echo "$uris" | awk '/^\047/ { bytes += $3; n++ } END { printf "%d %.0f\n", n, bytes }'
}

# A person sees apt at work; a log is spared the hundreds of lines unless they matter.
apt_install() {
    # shellcheck disable=SC2086
    set -- $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 $packages
    if [ -t 2 ]; then
        "$@" >&2
    else
        output=$("$@" 2>&1) || {
            say "$output"
            return 1
        }
    fi
}

# One line: the packages' plan, what else comes, and the sum.
announce() {
    echo "$1 ${ALSO-}" | awk '{
        if ($1) text = sprintf("%d packages, %.0f MB", $1, $2 / 1e6)
        also = $0
        sub(/^[^ ]* [^ ]* ?[^ ]* ?/, "", also)
        if (also) text = text (text ? "; " : "") also
        if (text) printf "will fetch: %s; %.0f MB in all\n", text, ($2 + $3) / 1e6
    }' >&2
}

install_missing() {
    if [ "$manager" != apt-get ] || ! find_root; then
        explain
        exit 1
    fi
    if ! plan=$(apt_plan); then
        say "reading the package lists"
        $as_root apt-get update -qq || say "the package lists could not be read anew"
        find_missing # names may differ now
        plan=$(apt_plan) || {
            explain
            exit 1
        }
    fi
    say "will install: $packages"
    announce "$plan"
    # Old lists name versions that the archive no longer has.
    apt_install || { $as_root apt-get update -qq && apt_install; }
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
    else
        announce "0 0"
    fi
    ;;
*)
    say "usage: bootstrap.sh check|install GROUP... (groups: build local test lint)"
    exit 2
    ;;
esac
