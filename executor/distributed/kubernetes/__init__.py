"""Plans carried out by a Job of a Kubernetes cluster, through the official client."""
