"""Discovery by a local controller: targets, sweep, query, cycle."""
