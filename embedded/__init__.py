"""The embedded AWS: a deterministic model of AWS that runs the real template and handlers."""
