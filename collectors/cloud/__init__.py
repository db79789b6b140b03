"""Clouds: what they have, who holds it, and what is really used."""
