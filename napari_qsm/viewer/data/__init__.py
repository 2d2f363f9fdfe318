"""The Data tab: opening, saving, and work that comes back."""
