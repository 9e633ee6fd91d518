"""What is held against a version before anybody may use it: gates, champion, pack."""
