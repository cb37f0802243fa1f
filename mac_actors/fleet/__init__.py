"""The house-keeping around the actors: finding, supervising, reloading and watching them."""
