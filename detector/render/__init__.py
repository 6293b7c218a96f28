"""Presentation: a report, a message, a plan or a setting as JSON, as text and as markup; the JSON Schemas."""
