"""Bytes, texts, numbers and times; it knows nothing of trading."""
