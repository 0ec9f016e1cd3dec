"""Entities, value types, errors, ports and the pure rules of PDSNO.

Standard library only and no I/O: everything here takes values and returns values.
"""
