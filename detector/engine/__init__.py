"""Sections to facts, facts to findings, findings to a report."""
