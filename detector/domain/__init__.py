"""The nouns: facts, rules, findings, conditions, reports."""
