"""Install acmnet from archives with known hashes, and audit its dependencies."""
