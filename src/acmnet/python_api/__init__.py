"""What Python programs call: `acmnet.train`, `acmnet.fit` and an estimator.

`python_calls` gives the first two, with the names and defaults of the command line.
`sklearn_estimator` trains on arrays in memory as estimators of scikit-learn do.
"""
