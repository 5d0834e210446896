"""Pure: what the local engine writes and applies, from the model's values."""
