"""Servers that outlive the run that started them: kept, promoted, stopped, and rolled back to the original."""
