#!/usr/bin/env bash
# host.sh NAME NETNS BASE DIR CGROUP: boots one host and boots it again after `reboot`. Started by
# hosts.sh in a mount namespace of its own, with which all that the host wrote goes away.
set -euo pipefail
name=$1 netns=$2 base=$3 dir=$4 cgroup=$5

# Of its own, before systemd starts, or hosts would see each other's processes; and cgroup v2 alone.
echo $$ > "$cgroup/cgroup.procs"
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup

mount -t tmpfs -o size=2g,mode=755 tmpfs "$dir/fs"
mkdir "$dir"/fs/{upper,work,root}
root=$dir/fs/root
mount -t overlay overlay -o "lowerdir=$base/root,upperdir=$dir/fs/upper,workdir=$dir/fs/work" "$root"
echo "$name" > "$root/etc/hostname"
# Nobody answers DNS here, and sudo looks its own host up.
cp "$dir/../hosts" "$root/etc/hosts"
install -m 600 "$dir/ssh_host_ed25519_key" "$root/etc/ssh/"
install -d -m 700 -o 1000 -g 1000 "$root/home/ops/.ssh"
install -m 600 -o 1000 -g 1000 "$dir/../key.pub" "$root/home/ops/.ssh/authorized_keys"

export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
ended='' guest=''
trap 'ended=1; [[ -z $guest ]] || kill -TERM "$guest" 2>/dev/null || true' TERM INT
readonly REBOOT=133
status=$REBOOT
while [[ $status -eq $REBOOT && -z $ended ]]; do
    systemd-nspawn --quiet --register=no --keep-unit --boot --machine="$name" --directory="$root" \
        --network-namespace-path="/run/netns/$netns" --resolv-conf=off --link-journal=no \
        --timezone=off --console=pipe --capability=CAP_NET_ADMIN \
        --bind-ro="$base/repo:/srv/packages" </dev/null &
    guest=$!
    status=0
    wait "$guest" || status=$?
    while kill -0 "$guest" 2>/dev/null; do # a signal ended `wait`, not the guest
        status=0
        wait "$guest" || status=$?
    done
done
