"""The set-up of acmnet: what is installed, checked by hash, and its licences."""
