"""Files of microscopes: Zeiss CZI, Nikon ND2, Leica LIF and its kin."""
