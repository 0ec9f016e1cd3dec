"""Sweeps: who answers in a subnet, by ARP, ICMP, TCP and the kernel's neighbour table."""
