"""Many cases: where their files lie, what is wrong with them, what they look like, how they are split."""
