"""What hub and record system say to each other: topics, messages, their description."""
