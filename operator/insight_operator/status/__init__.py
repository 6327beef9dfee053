"""Pure: from what was observed to the `.status` that is shown."""
