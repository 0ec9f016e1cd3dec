#!/usr/bin/env bash
# Installs what is missing, and only that. Everything it says goes to stderr.
#
#   tools/install.sh venv           .venv with the locked runtime and PDSNO itself
#   tools/install.sh dev            the same, and the locked test and lint tools
#   tools/install.sh apt FILE...    the Debian packages listed in each FILE
#
# PYTHON names the interpreter (default python3). A second run finds everything in place and
# does nothing: .venv/.installed-* hold a checksum of what was installed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly ROOT=$PWD VENV=$PWD/.venv
readonly PYTHON=${PYTHON:-python3}
readonly POLICY=/usr/sbin/policy-rc.d
declare -rA SERVICES=(
    [frr]=frr.service [lldpd]=lldpd.service [mosquitto]=mosquitto.service
    [openssh-server]=ssh.service [postgresql]=postgresql.service [snmpd]=snmpd.service
)
readonly POLICY_MARK='# written by the PDSNO installer; safe to delete'

say() { printf 'install: %s\n' "$*" >&2; }
die() { printf 'install: error: %s\n' "$*" >&2; exit 1; }

# Show what a command said only if it failed.
quietly() {
    local said status=0
    said=$("$@" 2>&1 </dev/null) || status=$?
    [[ $status -eq 0 ]] || printf '%s\n' "$said" >&2
    return "$status"
}

# --- as root -----------------------------------------------------------------------------------

as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "$needs needs root, and there is no sudo here. $instead"
    fi
}

# --- Debian packages ---------------------------------------------------------------------------

listed() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$@"; }

missing_packages() {
    local name
    for name in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
            printf '%s\n' "$name"
    done
}

# The packages' own scripts would start each daemon on this machine. Debian asks policy-rc.d
# first; 101 means "not now". An existing one is the administrator's and stays; ours, left by a
# killed run, goes.
allow_services() {
    if [[ -f $POLICY ]] && grep -qsF "$POLICY_MARK" "$POLICY"; then
        as_root rm -f "$POLICY"
    fi
}

forbid_services() {
    [[ -e $POLICY ]] && return
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY" >/dev/null
    as_root chmod 0755 "$POLICY"
}

# Daemons of packages that we just installed must not come up at the next boot either. One that
# was here before is not among the arguments and keeps its state.
disable_services() {
    local package unit units=()
    for package in "$@"; do units+=(${SERVICES[$package]:+"${SERVICES[$package]}"}); done
    [[ ${#units[@]} -gt 0 ]] || return 0
    for unit in "${units[@]}"; do
        quietly as_root update-rc.d "${unit%.service}" disable || true
    done
    [[ ! -d /run/systemd/system ]] || quietly as_root systemctl stop "${units[@]}" || true
    say "not started, not enabled: ${units[*]} (the lab runs its own copies)"
}

install_apt() {
    command -v dpkg-query >/dev/null || die "this is no Debian; install by hand: $(listed "$@" | xargs)"
    local -a wanted missing
    mapfile -t wanted < <(listed "$@")
    mapfile -t missing < <(missing_packages "${wanted[@]}")
    allow_services
    [[ ${#missing[@]} -eq 0 ]] && return
    say "installing ${#missing[@]} Debian packages: ${missing[*]}"
    trap allow_services EXIT
    trap 'exit 130' INT TERM
    forbid_services
    quietly as_root apt-get update || die "apt-get update failed; is the network up?"
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 install "${missing[@]}" ||
        die "apt-get could not install: ${missing[*]}"
    disable_services "${missing[@]}"
    allow_services
    trap - EXIT INT TERM
}

# --- Python ------------------------------------------------------------------------------------

check_python() {
    command -v "$PYTHON" >/dev/null ||
        die "no $PYTHON here; PDSNO needs Python 3.11 or newer (PYTHON=/path/to/python3.11 make ...)"
    python_version=$("$PYTHON" --version 2>&1)
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$python_version is too old; PDSNO needs 3.11 or newer (PYTHON=python3.11 make ...)"
}

# Debian splits ensurepip off into python3-venv.
ensure_venv_module() {
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null && return
    command -v dpkg-query >/dev/null || die "$PYTHON has no venv module"
    local package
    package=$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    needs="installing $package (for .venv)"
    instead="Install it once as root; then pdsno up, make check and make test-fast need no root."
    install_apt <(printf '%s\n' "$package")
    "$PYTHON" -c 'import ensurepip, venv' || die "$PYTHON still has no venv module"
}

# Of the files given, the interpreter, and this folder (.venv holds absolute paths).
checksum() { { printf '%s\n' "$python_version" "$ROOT"; cat "$@" </dev/null; } | sha256sum; }

is_installed() { [[ -f $VENV/.installed-$1 && $(<"$VENV/.installed-$1") == "$2" ]]; }

make_venv() {
    local sum
    sum=$(checksum)
    if is_installed venv "$sum" && "$VENV/bin/python" -c '' 2>/dev/null; then return; fi
    ensure_venv_module
    say "making .venv with $python_version"
    "$PYTHON" -m venv --clear "$VENV"
    printf '%s\n' "$sum" >"$VENV/.installed-venv"
}

pip_install() {
    "$VENV/bin/python" -m pip --disable-pip-version-check --no-input install --quiet "$@" >&2 ||
        die "pip could not install; see above"
}

# Locked files first, by hash and as wheels only: nothing is built, nothing else gets in.
install_locked() {
    local name=$1 sum
    sum=$(checksum "requirements/$name.txt")
    is_installed "$name" "$sum" && return
    say "installing the Python packages of requirements/$name.txt"
    pip_install --require-hashes --only-binary :all: --no-deps -r "requirements/$name.txt"
    printf '%s\n' "$sum" >"$VENV/.installed-$name"
}

install_project() {
    local sum
    sum=$(checksum pyproject.toml pdsno/__init__.py)
    is_installed project "$sum" && return
    pip_install --no-deps --no-build-isolation --no-index --editable .
    printf '%s\n' "$sum" >"$VENV/.installed-project"
}

# Each start would compile all of it again where Python may not write beside the sources.
compile_project() { "$VENV/bin/python" -m compileall -q pdsno || say "pdsno is not compiled: slow starts"; }

install_venv() {
    check_python
    make_venv
    install_locked runtime
    install_project
    compile_project
}

needs='installing Debian packages' python_version=
instead='Run it as root. Without root: pdsno up (a real network, no lab), make check, make test-fast.'
exec 9<pyproject.toml
flock 9 # one installation at a time
case ${1:-} in
    venv) install_venv ;;
    dev) install_venv && install_locked dev ;;
    apt) shift && install_apt "$@" ;;
    *) die "usage: tools/install.sh venv | dev | apt FILE..." ;;
esac
