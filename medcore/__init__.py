"""medcore: train, judge, explain and apply deep models on clinical data."""
