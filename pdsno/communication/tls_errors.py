"""What a failed TLS handshake means, and what helps: one line for an operator."""

import ssl

# OpenSSL's verification results (x509_vfy.h).
_NOT_YET_VALID = 9
_EXPIRED = 10
_HOSTNAME_MISMATCH = 62
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21, 27})

_VERIFICATION = {
    _EXPIRED: "its certificate has expired: see there whether it can renew it, and both clocks",
    _NOT_YET_VALID: "its certificate is not valid yet: compare the clocks of both hosts",
    _HOSTNAME_MISMATCH: "it shows the certificate of somebody else, not of {name}: is that its "
    "address?",
}
_CLOSED = (
    "it closed the connection while TLS began: does TLS run on that port, and does it accept our "
    "certificate?"
)
_ALERTS = {
    "CERTIFICATE_REQUIRED": "it demands a certificate, and we have none: join first "
    "(pdsno controller join); joining goes to the join listener's port",
    "CERTIFICATE_EXPIRED": "our certificate has expired: renew it, and compare the clocks",
    "UNKNOWN_CA": "it does not know the root that issued our certificate: join there anew",
    "BAD_CERTIFICATE": "it does not accept our certificate: join there anew",
    "CERTIFICATE_UNKNOWN": "it does not accept our certificate: join there anew",
    "CERTIFICATE_REVOKED": "our certificate was revoked",
    "UNSUPPORTED_CERTIFICATE": "it does not accept our certificate: join there anew",
    "WRONG_VERSION_NUMBER": "there is no TLS on that port: is it the right one?",
    "HTTP_REQUEST": "there is no TLS on that port: is it the right one?",
    "RECORD_LAYER_FAILURE": "there is no TLS on that port: is it the right one?",
    "PROTOCOL_VERSION": "it does not speak TLS 1.3: is it a controller?",
    "UNSUPPORTED_PROTOCOL": "it does not speak TLS 1.3: is it a controller?",
}


def explain(error: ssl.SSLError, peer: str, name: str) -> str:
    """Return cause and remedy; `peer` is who and where, `name` whose certificate was expected."""
    return f"no secure connection to {peer}: {cause_of(error, name)}"


def cause_of(error: ssl.SSLError, name: str) -> str:
    """Return cause and remedy without saying whose connection it was."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        if code in _UNKNOWN_ISSUER:
            return (
                "its certificate was not issued under our root: is it of another PDSNO, or does "
                "somebody stand between?"
            )
        known = _VERIFICATION.get(code)
        return known.format(name=name) if known else f"its certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return _CLOSED
    reason = error.reason or ""
    for ending, text in _ALERTS.items():
        if reason.endswith(ending):
            return text
    return reason.replace("_", " ").lower() or str(error)


def ssl_error_in(error: BaseException) -> ssl.SSLError | None:
    """Return the TLS failure behind a library's error, if that is what it was."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, ssl.SSLError):
            return found
        inner = getattr(found, "reason", None)
        wrapped = next((arg for arg in found.args if isinstance(arg, BaseException)), None)
        found = next(
            (x for x in (inner, wrapped, found.__cause__, found.__context__) if _is_error(x)), None
        )
    return None


def _is_error(value: object) -> bool:
    return isinstance(value, BaseException)
