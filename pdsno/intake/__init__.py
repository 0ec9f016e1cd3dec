"""(RC, GC) What reporters say, taken in once and in order, merged into this tier's own picture."""
