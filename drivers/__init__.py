"""What instruments say: wire formats, links and drivers."""
