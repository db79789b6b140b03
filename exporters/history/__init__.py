"""History of usage in one local file: five-minute rollups, daily sketches, and who held what when."""
