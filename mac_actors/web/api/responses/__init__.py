"""The JSON that goes out, as models: the OpenAPI description is made of them."""
