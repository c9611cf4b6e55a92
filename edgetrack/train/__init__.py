"""How the weights in models/ were made; needs the extra `train`."""
