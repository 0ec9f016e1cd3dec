"""Writes docs/reference/metrics.md from the metrics that the code has."""

from pathlib import Path

from pdsno.api.metrics import METRICS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "metrics.md"
_HEAD = """\
# Metrics

Made by `python tools/metrics.py` from the code; a test holds that it is current.

`GET /metrics` of every controller's API (with a token for all regions) is in Prometheus's text
format; so is `metrics` in the answer to `GET /metrics` on the admin socket. Counters count from the
start of the process, except `pdsno_events_total`. Histograms have buckets from 1 ms to 10 s. What a
tier does not have (cycles, a parent, a broker) is left out.

    scrape_configs:
      - job_name: pdsno
        scheme: https
        authorization: {credentials_file: /etc/prometheus/pdsno-token}
        tls_config: {ca_file: /etc/prometheus/pdsno-ca.pem}
        static_configs: [{targets: ["172.30.30.10:8080"]}]

| metric | kind | labels | means |
|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    rows = [
        f"| `{m.name}` | {m.kind} | {', '.join(f'`{label}`' for label in m.labels)} | {m.about} |"
        for m in METRICS
    ]
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
