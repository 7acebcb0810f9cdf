"""The operator under faults: killed at every step, told old news or none, its provider failing in every way."""
