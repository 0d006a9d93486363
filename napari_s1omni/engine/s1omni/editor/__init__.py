"""The image editor: connector, denoiser, codec, and how tiles are resampled for them."""
