"""Certificates: who may issue them, what stands in them, and how TLS keeps and checks them.

root → issuing CA of the global controller → issuing CA of a regional one → leaf. The certificate
of a regional controller's issuing CA is its right to admit: it holds for local controllers of its
own region only, which OpenSSL enforces at every handshake (RFC 5280 name constraints).
"""
