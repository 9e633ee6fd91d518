"""The same book as other systems would deliver it."""
