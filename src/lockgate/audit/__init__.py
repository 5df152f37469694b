"""What happened, in order, durable before it matters."""
