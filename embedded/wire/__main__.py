"""``python -m embedded.wire``: serve a world until interrupted."""

from __future__ import annotations

import signal
import sys

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main() -> int:
    """Run the program; an interrupt is an end like any other, at whatever moment it comes."""
    # A shell that starts this in the background has told it to ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from embedded.wire.program import run  # noqa: PLC0415 - takes long enough to interrupt

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("aws: interrupted before it was ready\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
