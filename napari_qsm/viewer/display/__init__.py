"""The Display tab: colours, comparison and measuring."""
