"""What a cassette does while it is open: which episode answers a call, why none does, and what of an answer is kept."""
