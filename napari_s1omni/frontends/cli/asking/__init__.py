"""Commands about asking: questions, the models that answer them, and the sandbox of their code."""
