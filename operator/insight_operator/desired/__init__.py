"""Pure builders, one file per child object. Nothing here may know a client, a clock, chance or the environment."""
