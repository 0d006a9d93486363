"""The S1-Omni engine: thinker, connector, denoiser and codec from one checkpoint folder."""
