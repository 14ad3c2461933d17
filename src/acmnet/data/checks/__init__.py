"""What is wrong with labels, splits and features, and what to do about it.

Input: labels and features. Output: findings, each a sentence with a remedy. `refusals`
has what stops a training; every verb that trains uses it. `examination` runs all checks
for ``acmnet doctor`` and ``acmnet check``; `findings` is what they return.
"""
