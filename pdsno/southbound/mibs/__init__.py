"""From walked varbinds to values: one module per MIB group, pure functions only."""
