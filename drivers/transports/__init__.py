"""All the waiting: ports, sockets, recordings."""
