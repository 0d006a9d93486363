"""The image editor: connector, denoiser, codec and the grids they draw on."""
