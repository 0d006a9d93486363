"""Files written with known pixels, axes, sizes, units and names, by the libraries that others use."""
