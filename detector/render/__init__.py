"""How a report looks: the document on stdout, the lines for people, the plugin line, the schemas."""
