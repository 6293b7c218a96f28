"""The nouns: snapshot, facts, rule, event, condition, report; pure, without clock or outside world."""
