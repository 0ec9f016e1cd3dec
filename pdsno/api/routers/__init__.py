"""One file per resource: `router(nib)` returns its routes."""
