"""The engine under load, side by side with others on the same machine. See README.md."""
