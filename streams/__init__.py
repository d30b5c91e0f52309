"""From article to delivered alert: screening, stories, subscriptions, ledger, health."""
