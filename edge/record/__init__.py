"""The reference record system: a separate program that shares with the hub only their contract."""
