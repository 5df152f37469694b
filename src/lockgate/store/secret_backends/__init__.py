"""Where secrets are kept, a file for each kind of place: ``model.secret.SecretBackend``."""
