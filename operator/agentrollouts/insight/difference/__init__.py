"""What two releases do differently, for the terminal and the page. Pure."""
