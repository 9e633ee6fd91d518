"""Time, economy, and who lives in it."""
