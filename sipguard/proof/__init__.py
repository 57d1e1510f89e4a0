"""The proof that a configuration harms no emergency call, and that no rule rejects on a fact that is unknown."""
