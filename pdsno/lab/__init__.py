"""Runs a containerlab topology file in Linux namespaces, without Docker."""
