#!/usr/bin/env bash
# Builds what every host of the lab boots from, once: prints the folder that holds `root`, a
# Debian with systemd, sshd, sudo and Python, and `repo`, the packages that the playbooks install
# (hosts have no way to the Internet). The folder is named by the hash of this recipe.
set -euo pipefail
shopt -s inherit_errexit

readonly SUITE=bookworm
readonly SYSTEM=(
    ca-certificates dbus iproute2 iputils-ping libpam-systemd netbase openssh-server procps
    python3 python3-apt sudo systemd systemd-sysv
)
# What the roles install, with what it depends on.
readonly LATER=(mosquitto nftables postgresql python3-venv)

recipe=$(sha256sum "${BASH_SOURCE[0]}")
readonly CACHE=${LAB_HOSTS_CACHE:-/var/cache/pdsno-lab-hosts}
readonly DEST=$CACHE/${recipe:0:12}

# This machine's own mirrors of Debian, as lines of sources.list.
sources() {
    local format='deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    apt-get indextargets --format "$format \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
        'Created-By: Packages' 'Origin: Debian' | grep -E " $SUITE([-/][a-z]+)* " | sort -u
}

build() {
    local work=$1 root='"$1"' include
    include=$(IFS=,; echo "${SYSTEM[*]}")
    mkdir "$work/repo"
    sources | mmdebstrap --quiet --variant=minbase --mode=root --include="$include" \
        --customize-hook="chroot $root apt-get install -y -qq --no-install-recommends \
            --download-only ${LATER[*]} >&2 && cp $root/var/cache/apt/archives/*.deb $work/repo/" \
        --customize-hook="chroot $root useradd --create-home --shell /bin/bash ops" \
        --customize-hook="echo 'ops ALL=(ALL) NOPASSWD:ALL' > $root/etc/sudoers.d/ops" \
        --customize-hook="chmod 440 $root/etc/sudoers.d/ops" \
        --customize-hook="chroot $root systemctl mask apt-daily.timer apt-daily-upgrade.timer" \
        --customize-hook="rm -f $root/etc/ssh/ssh_host_* $root/etc/resolv.conf" \
        --customize-hook="rm -f $root/etc/apt/sources.list.d/* $root/var/lib/apt/lists/*_*" \
        --customize-hook="echo 'deb [trusted=yes] file:/srv/packages ./' \
            > $root/etc/apt/sources.list; : > $root/etc/machine-id; mkdir $root/srv/packages" \
        "$SUITE" "$work/root" - >&2
    (cd "$work/repo" && apt-ftparchive packages . > Packages && apt-ftparchive release . > ../Release)
    mv "$work/Release" "$work/repo/"
    # The list is there before the first `apt-get update`: a role with cache_valid_time skips it.
    mount --bind "$work/repo" "$work/root/srv/packages"
    chroot "$work/root" apt-get update -qq >&2 || { umount "$work/root/srv/packages"; return 1; }
    umount "$work/root/srv/packages"
}

[[ $EUID -eq 0 ]] || { echo "build.sh: needs root" >&2; exit 1; }
mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock 9
if [[ ! -d $DEST ]]; then
    echo "lab-hosts: building the hosts' root file system (once, about a minute)" >&2
    work=$(mktemp -d "$CACHE/build.XXXXXX")
    trap 'rm -rf --one-file-system "$work"' EXIT
    chmod 755 "$work"
    build "$work"
    mv "$work" "$DEST"
    # Those of recipes before.
    find "$CACHE" -mindepth 1 -maxdepth 1 -type d ! -path "$DEST" -exec rm -rf --one-file-system {} +
fi
echo "$DEST"
