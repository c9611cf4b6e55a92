"""Accuracy against the truth: tracks (`mot`) and counts (`counts`)."""
