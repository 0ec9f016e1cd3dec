"""PDSNO finds every device on a network, keeps one true picture, changes it only by permission."""

__version__ = "0.1.0"
