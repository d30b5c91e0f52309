"""The subcommands of `wirebell`, one file each, loaded only when called."""
