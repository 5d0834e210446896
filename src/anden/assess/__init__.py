"""What an observation means. Pure, and never acts: it finds, and says what would help."""
