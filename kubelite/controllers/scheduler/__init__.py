"""The default scheduler, in its plain form: which node fits a pod, and why none does."""
