"""Commands about questions to chat models: where the models are."""
