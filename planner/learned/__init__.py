"""What runs on this machine taught: its own constants, stored with the run each comes from."""
