"""Places that source files come from: folders, SFTP, S3-compatible stores, databases, HTTP APIs."""
