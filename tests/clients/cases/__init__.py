"""What each client is asked to do; one file per client, imported only where that client is run."""
