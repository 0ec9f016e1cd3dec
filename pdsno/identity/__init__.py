"""Who is who: keys, join tokens, the validation exchange, delegation, the directory of keys."""
