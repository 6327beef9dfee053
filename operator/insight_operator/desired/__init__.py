"""Pure builders, one file per child object: no client, no clock, no chance, no environment."""
