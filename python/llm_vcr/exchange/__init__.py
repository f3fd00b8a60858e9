"""What an episode says: the model, what it was asked, what it answered and used, and what that costs."""
