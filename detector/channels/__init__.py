"""The channels that alerts are delivered to, one a file, each with one method `notify` and one error."""
