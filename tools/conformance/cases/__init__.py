"""The checks: what snaproll relies on in each call that it, or whoever operates it, makes."""
