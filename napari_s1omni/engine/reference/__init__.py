"""The reference engine: thinks by measuring, draws by doing exactly what its thought says. No weights."""
