"""Files of any kind as exact text cells; nothing here knows of the warehouse."""
