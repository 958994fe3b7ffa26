"""The other half: virtual instruments that speak the same bytes."""
