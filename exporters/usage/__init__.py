"""Who holds what, and what they use, told to people."""
