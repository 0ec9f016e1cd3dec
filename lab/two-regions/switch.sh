#!/bin/sh
# Makes a Linux node an access switch: every port but eth0 in one bridge, an address on it.
# Arguments: ADDRESS/LENGTH GATEWAY
set -eu
ip link add name br0 type bridge forward_delay 0 mcast_snooping 0
for port in /sys/class/net/eth*; do
  port=${port##*/}
  [ "$port" = eth0 ] || ip link set dev "$port" master br0 up
done
# Fixed, or the bridge takes whichever port has the lowest address.
ip link set dev br0 address "$(cat /sys/class/net/eth1/address)"
ip addr add "$1" dev br0
ip link set dev br0 up
ip route add 10.0.0.0/8 via "$2"
