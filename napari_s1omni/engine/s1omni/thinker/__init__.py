"""The vision-language model that writes a thought for each tile."""
