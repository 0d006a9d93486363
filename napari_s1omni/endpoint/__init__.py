"""Chat models that see images: one protocol, served by a URL that speaks OpenAI's chat completions."""
