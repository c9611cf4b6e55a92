"""Models: those that can be had, what a file is, int8 made with care, and what it costs."""
