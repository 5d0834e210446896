"""What runs inside a cell, the private world of one environment."""
