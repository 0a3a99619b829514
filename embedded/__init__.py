"""The embedded AWS: a deterministic model of AWS that runs the real template, definitions and handlers."""
