"""What the command line is made of: its options, how it reads files, builds models, and speaks."""
