"""The notes' walk-through: their manifests letter for letter, their commands, and checks that the answers are right."""
