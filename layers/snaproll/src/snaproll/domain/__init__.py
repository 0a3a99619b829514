"""Pure rules. No AWS, no clock, no environment: instants and ids come in as arguments."""
