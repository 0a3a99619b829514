"""What crosses a boundary of a publish."""
