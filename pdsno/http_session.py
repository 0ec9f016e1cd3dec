"""HTTP sessions in which nothing of the environment has a part."""

from http.cookiejar import DefaultCookiePolicy

import requests


def own_session() -> requests.Session:
    """Return a session without proxies and passwords of whoever runs us, and without cookies.

    Without cookies, for what one answer sets must not go with the request of another thread.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session
