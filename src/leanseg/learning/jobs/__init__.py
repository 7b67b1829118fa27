"""What a command does, composed from the rooms below: plan, train, validate, export."""
