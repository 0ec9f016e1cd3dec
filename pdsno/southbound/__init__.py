"""Talking to devices: SNMP and SSH, one file per platform, only what a list allows."""
