"""The torch wing: everything that plans, trains and exports. Nothing outside it and the command line imports it."""
