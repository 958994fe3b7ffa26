"""One module an instrument family: what its frames mean."""
