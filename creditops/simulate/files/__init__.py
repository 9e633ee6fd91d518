"""The book as canonical source files, written block by block."""
