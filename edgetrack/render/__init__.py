"""A street seen from a pole, drawn by the program itself: pictures with exact truth, deterministic by seed."""

CLASSES = ("person", "car", "bicycle")  # a bicycle is a bicycle with its rider, one box
PERSON, CAR, BICYCLE = range(3)
