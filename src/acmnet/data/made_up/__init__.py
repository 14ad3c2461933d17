"""Made-up data with known truth: drawn videos, and features without videos."""
