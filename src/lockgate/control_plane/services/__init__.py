"""What operators can do, apart from how they ask for it."""
