#!/bin/sh
# Entry point of a lab node: the same script under `pdsno lab` and in the container image
# of lab/Dockerfile. Starts the daemons named in LAB_DAEMONS, then the node's main command
# (the arguments), and reaps children as PID 1.
#   LAB_DAEMONS         any of: frr snmpd lldpd sshd (default: none)
#   LAB_PASSWORD        password of the users admin (vtysh) and ops (bash); unset: no log-in
#   LAB_SNMP_COMMUNITY  SNMP v2c community, read-only; empty: no v2c
#   LAB_SNMP_V3         USER:SHA-PASSPHRASE:AES-PASSPHRASE of a read-only SNMPv3 user
#   LAB_SNMP_LISTEN     where snmpd listens (default udp:161)
#   LAB_FRR_DAEMONS     FRR daemons to start instead of those of /etc/frr/daemons
# What it leaves for whoever waits: /run/lab/daemons (what must run), /run/lab/ready,
# /run/lab/cmd.rc (exit status of the main command); logs in /var/log/lab/, the
# main command's output in /var/log/node-cmd.log.
umask 022
logs=/var/log/lab
rm -rf "$logs"
mkdir -p /run/lab "$logs"
daemons=" ${LAB_DAEMONS-} "
expected=

wants() { case "$daemons" in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# wait_for TEST PATH: up to 60 s; a daemon that never comes is reported by the runner.
wait_for() {
  tries=0
  while [ ! "$1" "$2" ] && [ "$tries" -lt 1200 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
}

add_user() { # name uid shell groups
  id "$1" >/dev/null 2>&1 && return
  useradd --uid "$2" --shell "$3" --create-home --no-log-init --groups "$4" "$1" \
    >>"$logs/users.log" 2>&1
  [ -z "${LAB_PASSWORD-}" ] || printf '%s:%s\n' "$1" "$LAB_PASSWORD" | chpasswd
}

add_users() {
  groups=
  for group in frrvty frr _lldpd adm; do
    getent group "$group" >/dev/null && groups="$groups${groups:+,}$group"
  done
  if wants frr; then add_user admin 2000 /usr/bin/vtysh "$groups"; fi
  add_user ops 2001 /bin/bash "$groups"
}

start_sshd() {
  add_users
  mkdir -p /run/sshd
  [ -f /etc/ssh/ssh_host_ed25519_key ] ||
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key </dev/null
  passwords=no
  [ -z "${LAB_PASSWORD-}" ] || passwords=yes
  cat > /etc/ssh/sshd_config <<EOF
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM no
PasswordAuthentication $passwords
KbdInteractiveAuthentication no
PermitRootLogin no
UseDNS no
GSSAPIAuthentication no
X11Forwarding no
PrintMotd no
PrintLastLog no
MaxStartups 200:30:400
MaxSessions 50
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
EOF
  /usr/sbin/sshd -D -E "$logs/sshd.log" &
}

write_snmpd_conf() {
  # The engine ID comes from the node's own MAC: the default mixes the process ID and the
  # time, which nodes started together share. Managers take equal engine IDs for one agent.
  cat <<EOF
agentAddress ${LAB_SNMP_LISTEN:-udp:161}
engineIDType 3
engineIDNic $1
sysLocation lab
sysContact lab@example.org
sysServices 78
master agentx
agentXPerms 0777 0755
EOF
  [ -z "${LAB_SNMP_COMMUNITY-}" ] || printf 'rocommunity %s default\n' "$LAB_SNMP_COMMUNITY"
  [ -z "${LAB_SNMP_V3-}" ] || printf '%s\n' "$LAB_SNMP_V3" | {
    IFS=: read -r user auth priv
    printf 'createUser %s SHA "%s" AES "%s"\nrouser %s authPriv\n' "$user" "$auth" "$priv" "$user"
  }
}

start_snmpd() {
  mkdir -p /var/lib/snmp /var/agentx
  chmod 755 /var/agentx
  rm -f /var/agentx/master
  nic=eth0
  [ -e /sys/class/net/eth0 ] || nic=$(ls /sys/class/net | grep -v '^lo$' | head -n 1)
  if [ -n "${LAB_SNMP_COMMUNITY-}${LAB_SNMP_V3-}" ]; then
    write_snmpd_conf "$nic" > /etc/snmp/snmpd.conf
    chmod 600 /etc/snmp/snmpd.conf
  fi
  /usr/sbin/snmpd -f -Lf "$logs/snmpd.log" -I -smux,mteTrigger,mteTriggerConf \
    -p /run/snmpd.pid &
}

start_lldpd() {
  mkdir -p /run/lldpd /etc/lldpd.d
  chown _lldpd:_lldpd /run/lldpd
  # Short intervals: neighbours are known in seconds, not in half a minute. The port is
  # named by its interface, and the management network takes no part.
  printf 'configure lldp tx-interval 2\nconfigure lldp tx-hold 10\nconfigure lldp portidsubtype ifname\n' \
    > /etc/lldpd.d/lab.conf
  ln -sf /usr/sbin/lldpcli /usr/local/bin/lldpcli
  agentx=
  if wants snmpd; then
    wait_for -S /var/agentx/master
    agentx='-x -X /var/agentx/master'
  fi
  management=$(ip -4 -o addr show dev eth0 2>/dev/null | sed -n 's|.* inet \([0-9.]*\)/.*|,!\1|p')
  # shellcheck disable=SC2086  # options are words
  /usr/sbin/lldpd -d -I 'eth*,!eth0' -C 'eth*,!eth0' -m "*.*$management" $agentx ${LLDPD_ARGS-} \
    >"$logs/lldpd.log" 2>&1 &
}

frr_daemons() {
  if [ -n "${LAB_FRR_DAEMONS-}" ]; then
    printf '%s\n' "$LAB_FRR_DAEMONS"
    return
  fi
  if [ -f /etc/frr/daemons ]; then
    for name in bgpd ospfd ospf6d ripd ripngd isisd pimd pim6d ldpd nhrpd eigrpd babeld \
      pbrd bfdd fabricd vrrpd pathd; do
      eval "value=\${$name-no}"
      # shellcheck disable=SC2154  # set by eval
      [ "$value" = yes ] && printf '%s ' "$name"
    done
    return
  fi
  # Nobody says which daemons: those that the configuration speaks to.
  for pair in bgp:bgpd ospf:ospfd ospf6:ospf6d rip:ripd ripng:ripngd isis:isisd eigrp:eigrpd; do
    grep -qs "^router ${pair%:*}\b" /etc/frr/frr.conf && printf '%s ' "${pair#*:}"
  done
  grep -qs '^bfd' /etc/frr/frr.conf && printf 'bfdd'
}

start_frr_daemon() {
  eval "options=\${$1_options-}"
  [ -n "$options" ] || options="-A 127.0.0.1"
  options=$(printf ' %s' "$options" | sed 's/ --daemon//; s/ -d / /')
  # shellcheck disable=SC2086  # options are words
  "/usr/lib/frr/$1" $options >>"$logs/frr-$1.log" 2>&1 &
}

start_frr() {
  printf 'auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n' > /etc/pam.d/frr
  mkdir -p /run/frr /etc/frr
  chown frr:frr /run/frr
  if [ -f /etc/frr/daemons ]; then
    # shellcheck disable=SC1091  # the node's own file
    . /etc/frr/daemons
  fi
  frr_expected="zebra staticd $(frr_daemons)"
  [ -f /etc/frr/vtysh.conf ] || echo 'service integrated-vtysh-config' > /etc/frr/vtysh.conf
  chown -R frr:frrvty /etc/frr
  chmod 2775 /etc/frr
  find /etc/frr -type f -exec chmod 640 {} +
  start_frr_daemon zebra
  wait_for -S /run/frr/zserv.api
  for name in $frr_expected; do
    [ "$name" = zebra ] || start_frr_daemon "$name"
  done
  expected="$expected $frr_expected"
}

# Forwarding between the management network and the data plane would let traffic leave
# the topology; the node itself uses both.
isolate_management() {
  echo 0 > /proc/sys/net/ipv4/conf/eth0/forwarding 2>/dev/null
  [ -x /usr/sbin/nft ] || return 0
  nft -f - 2>>"$logs/nft.log" <<EOF
table inet lab {
  chain forward {
    type filter hook forward priority 0;
    iifname "eth0" drop
    oifname "eth0" drop
  }
}
EOF
}

read_frr_configuration() {
  # `vtysh -b` silently drops what belongs to a daemon that is not up yet.
  for name in $frr_expected; do wait_for -S "/run/frr/$name.vty"; done
  vtysh -b >"$logs/vtysh-b.log" 2>&1
}

if wants frr; then
  for flag in ipv4/ip_forward ipv6/conf/all/forwarding; do
    echo 1 > "/proc/sys/net/$flag" 2>/dev/null
  done
  for flag in all default; do
    echo 0 > "/proc/sys/net/ipv4/conf/$flag/rp_filter" 2>/dev/null
  done
  isolate_management
  start_frr
fi
for name in snmpd lldpd sshd; do
  wants "$name" || continue
  "start_$name"
  expected="$expected $name"
done
printf '%s\n' "$expected" > /run/lab/daemons
if wants frr; then read_frr_configuration; fi

if [ $# -gt 0 ]; then
  (
    "$@" >/var/log/node-cmd.log 2>&1 </dev/null
    echo $? > /run/lab/cmd.rc
  ) &
fi
: > /run/lab/ready
# `wait` also reaps orphans; with nothing left to wait for it returns at once.
while :; do
  wait
  sleep 1
done
