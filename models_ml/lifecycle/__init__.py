"""Who lets which version score: decisions on versions, and on single grades."""
