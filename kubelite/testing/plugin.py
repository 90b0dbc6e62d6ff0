"""pytest fixtures for users of kubelite."""
