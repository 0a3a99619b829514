"""How AWS behaves: a discrete-event model without threads, sockets or real time."""
