#!/bin/sh
# PID 1 of a lab node, started by `pdsno lab up` in the node's network namespace and in
# new mount, UTS, IPC and PID namespaces. It builds the node's root file system (an
# overlay of the machine's own, so that nothing outside changes), enters it and becomes
# the entry point. Arguments: the node's main command.
#   LAB_NODE_DIR    files the runner prepared: binds, exposed, sysctls, ip.batch
#   LAB_HOSTS       the /etc/hosts of the lab
#   LAB_NODE_NAME   short name, becomes the host name
#   LAB_ENTRYPOINT  the entry point script on the machine
#   LAB_PDSNO       the `pdsno` command to offer inside
set -eu
dir=$LAB_NODE_DIR
hostname "$LAB_NODE_NAME"

# The upper layer must be on the tmpfs: an overlay refuses an upper layer inside its lower one.
fs=$dir/fs
mount -t tmpfs -o size="${LAB_DISK:-512m}",mode=755 tmpfs "$fs"
mkdir "$fs/up" "$fs/scratch" "$fs/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$fs/up,workdir=$fs/scratch" "$fs/root"
root=$fs/root

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/net"
for device in null zero full random urandom tty net/tun; do
  [ -e "/dev/$device" ] || continue
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# The machine's own identity is not part of the image.
rm -rf "$root/var/lib/snmp" "$root/etc/machine-id" "$root/etc/resolv.conf"
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/frr/frr.conf"
mkdir -p "$root/var/lib/snmp"
: > "$root/etc/machine-id"
: > "$root/etc/resolv.conf"
printf '%s\n' "$LAB_NODE_NAME" > "$root/etc/hostname"
cp "$LAB_HOSTS" "$root/etc/hosts"

# Where `pdsno` and its Python live: read-only, also where they are below /tmp or on
# another file system, which the overlay does not show.
while IFS= read -r path; do
  mkdir -p "$root$path"
  mount --bind "$path" "$root$path"
  mount -o remount,bind,ro "$root$path"
done < "$dir/exposed"

# Binds: "mode<TAB>source<TAB>target". Directories and files are given copy-on-write, so
# that a node cannot change the owner or the content of what you keep in version control.
count=0
while IFS="$(printf '\t')" read -r mode source target; do
  count=$((count + 1))
  if [ -d "$source" ]; then
    mkdir -p "$root$target"
    if [ "$mode" = ro ]; then
      mount --bind "$source" "$root$target"
      mount -o remount,bind,ro "$root$target"
    else
      mkdir "$fs/up$count" "$fs/scratch$count"
      mount -t overlay overlay \
        -o "lowerdir=$source,upperdir=$fs/up$count,workdir=$fs/scratch$count" "$root$target"
    fi
  elif [ -f "$source" ]; then
    mkdir -p "$root${target%/*}"
    cp -pL "$source" "$root$target"
    [ "$mode" = rw ] || chmod a-w "$root$target"
  else
    mkdir -p "$root${target%/*}"
    : > "$root$target"
    mount --bind "$source" "$root$target"
  fi
done < "$dir/binds"

mkdir -p "$root/usr/local/bin" "$root/usr/local/sbin"
ln -sfn "$LAB_PDSNO" "$root/usr/local/bin/pdsno"
cp "$LAB_ENTRYPOINT" "$root/usr/local/sbin/lab-entrypoint"
while IFS='=' read -r key value; do
  printf '%s\n' "$value" > "/proc/sys/$(printf '%s' "$key" | tr . /)"
done < "$dir/sysctls"
ip -batch "$dir/ip.batch"

cd "$root"
mkdir -p .old-root
pivot_root . .old-root
cd /
umount -l /.old-root
rmdir /.old-root
unset LAB_NODE_DIR LAB_HOSTS LAB_ENTRYPOINT LAB_PDSNO LAB_DISK
exec /bin/sh /usr/local/sbin/lab-entrypoint "$@"
