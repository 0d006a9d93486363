"""Values and pure arithmetic: documents, layers, tiles, sampling, noise, units."""
