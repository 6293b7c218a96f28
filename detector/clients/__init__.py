"""The one room that builds clients which can open a socket: it holds the fence, the deadlines, the caps and the retry."""
