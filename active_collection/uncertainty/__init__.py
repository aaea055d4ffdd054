"""What the policy does not know: ensembles, measures, novelty, thresholds, training."""
