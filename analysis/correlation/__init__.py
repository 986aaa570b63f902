"""How well one value of architectures orders them by another."""
