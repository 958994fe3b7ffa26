"""From the outbox to the broker, and what the record system answers back."""
