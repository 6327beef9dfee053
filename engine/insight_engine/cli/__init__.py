"""Sub-commands of `insight-engine`, one file each."""
