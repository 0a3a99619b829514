"""What crosses a boundary: events, execution input, and each step's request and answer."""
