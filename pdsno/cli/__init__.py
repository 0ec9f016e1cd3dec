"""The command line: one file per command group, loaded when that command is called."""
