"""Accuracy against the truth: tracks (`mot`) and counts (`counts`)."""

from edgetrack.evaluate.report import counts_report, mot_report

__all__ = ["counts_report", "mot_report"]
