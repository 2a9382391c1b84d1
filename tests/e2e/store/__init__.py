"""The stored tokens, shared with `huggingface_hub` and `hf`."""
