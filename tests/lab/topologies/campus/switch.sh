#!/bin/sh
# Makes ports of a Linux node a bridge. Arguments: BRIDGE "PORT..." [ADDRESS/LENGTH [GATEWAY]]
set -eu
ip link add name "$1" type bridge forward_delay 0 mcast_snooping 0
for port in $2; do
  ip link set dev "$port" master "$1" up
done
ip link set dev "$1" address "$(cat "/sys/class/net/${2%% *}/address")"
ip link set dev "$1" up
[ -z "${3-}" ] || ip addr add "$3" dev "$1"
[ -z "${4-}" ] || ip route add 10.0.0.0/8 via "$4"
