"""The part of the Amazon States Language that the project's definitions use, and its service."""
