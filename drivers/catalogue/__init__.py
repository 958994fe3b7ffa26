"""The entries of the registry, by what the instruments are."""
