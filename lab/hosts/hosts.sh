#!/usr/bin/env bash
# The lab of hosts: real Debian systems with systemd, joined to the network of hosts.clab.yml.
#
#   hosts.sh up                  network and hosts; returns when systemd is up in all of them
#   hosts.sh down                all of it away; what was built stays in /var/cache/pdsno-lab-hosts
#   hosts.sh status              each host with what its systemd says
#   hosts.sh ssh HOST [COMMAND]  as ops, who may sudo
#
# Needs root. systemd-nspawn runs each host in the network namespace of its node: no Docker, and
# nothing of the machine's systemd, if it has one, is told.
set -euo pipefail
shopt -s inherit_errexit nullglob

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE RUN=/run/pdsno-lab-hosts LAB=hosts
readonly PDSNO=${PDSNO:-$HERE/../../.venv/bin/pdsno}
readonly UP_TIMEOUT_S=120 DOWN_TIMEOUT_S=30
CGROUPS=/sys/fs/cgroup/unified
[[ -d $CGROUPS ]] || CGROUPS=/sys/fs/cgroup
readonly GROUP=$CGROUPS/pdsno-lab-hosts

say() { printf 'lab-hosts: %s\n' "$*" >&2; }
die() { printf 'lab-hosts: error: %s\n' "$*" >&2; exit 1; }

# Lines of "NAME NETNS ADDRESS" for the nodes that are to be hosts.
nodes() {
    python3 - "/run/pdsno-lab/$LAB/state.json" <<'PYTHON'
import json, sys
for node in json.load(open(sys.argv[1]))["nodes"]:
    if node["labels"].get("pdsno.host") == "systemd":
        print(node["name"], node["long_name"], node["mgmt_ipv4"])
PYTHON
}

in_host() {
    local address=$1
    shift
    timeout 60 ssh -q -i "$RUN/key" -o BatchMode=yes -o ConnectTimeout=2 -o IdentitiesOnly=yes \
        -o UserKnownHostsFile="$RUN/known_hosts" "ops@$address" "$@"
}

prepare() {
    local name netns address
    mkdir -p "$RUN"
    chmod 700 "$RUN"
    ssh-keygen -q -t ed25519 -N '' -C lab-hosts -f "$RUN/key"
    echo '127.0.0.1 localhost' > "$RUN/hosts"
    while read -r name netns address; do
        mkdir -p "$RUN/$name/fs" "$GROUP/$name"
        ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$RUN/$name/ssh_host_ed25519_key"
        echo "$address $name" >> "$RUN/hosts"
        echo "$address,$name $(cut -d' ' -f1,2 "$RUN/$name/ssh_host_ed25519_key.pub")" \
            >> "$RUN/known_hosts"
    done < <(nodes)
}

boot() {
    local base=$1 name netns address
    while read -r name netns address; do
        setsid unshare --mount --propagation private \
            "$HERE/host.sh" "$name" "$netns" "$base" "$RUN/$name" "$GROUP/$name" \
            </dev/null >"$RUN/$name/console.log" 2>&1 &
        echo $! > "$RUN/$name/pid"
    done < <(nodes)
}

await() {
    local name netns address state deadline=$((SECONDS + UP_TIMEOUT_S))
    while read -r name netns address; do
        until state=$(in_host "$address" systemctl is-system-running 2>/dev/null </dev/null) ||
            [[ $state == degraded ]]; do
            kill -0 "$(<"$RUN/$name/pid")" 2>/dev/null ||
                die "$name ended: $(tail -n 3 "$RUN/$name/console.log")"
            ((SECONDS < deadline)) || die "$name is not up: ${state:-no answer by ssh}"
            sleep 0.2
        done
        say "$name ($address): $state"
    done < <(nodes)
}

up() {
    local base
    [[ ! -e $RUN ]] || die "they are up already; make lab-hosts-down takes them down"
    base=$("$HERE/build.sh")
    # Its output belongs where the lab's own state is, not into the working directory.
    CLAB_LABDIR_BASE=/run/pdsno-lab "$PDSNO" lab up "$HERE/hosts.clab.yml" >&2
    trap down EXIT # half a lab is none
    prepare
    boot "$base"
    await
    trap - EXIT
}

end_host() {
    local dir=$1 pid deadline=$((SECONDS + DOWN_TIMEOUT_S))
    pid=$(cat "$dir/pid" 2>/dev/null) || return 0
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
    # nspawn hangs in a guest that does not end; the lab then kills all that is in its namespace.
    pkill -KILL -s "$pid" || true
}

down() {
    local dir
    trap - EXIT
    for dir in "$RUN"/*/; do kill -TERM "$(cat "$dir/pid")" 2>/dev/null || true; done
    for dir in "$RUN"/*/; do end_host "$dir"; done
    CLAB_LABDIR_BASE=/run/pdsno-lab "$PDSNO" lab down "$LAB" >&2
    [[ ! -d $GROUP ]] || find "$GROUP" -depth -type d -exec rmdir {} +
    rm -rf --one-file-system "$RUN"
}

status() {
    local name netns address
    [[ -d $RUN ]] || { say "not up"; return; }
    while read -r name netns address; do
        printf '%-8s %-15s %s\n' "$name" "$address" \
            "$(in_host "$address" systemctl is-system-running </dev/null || true)"
    done < <(nodes)
}

[[ $EUID -eq 0 ]] || die "needs root: network namespaces, mounts, systemd-nspawn"
command=${1:-}
case $command in
    up | down | status) "$command" ;;
    ssh)
        name=${2:?which host?}
        shift 2
        in_host "$(awk -v name="$name" '$2 == name {print $1}' "$RUN/hosts")" "$@"
        ;;
    *) die "usage: hosts.sh up | down | status | ssh HOST [COMMAND]" ;;
esac
