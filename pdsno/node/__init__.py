"""One process: a controller with its API, admin socket and signals, or all tiers in one."""
