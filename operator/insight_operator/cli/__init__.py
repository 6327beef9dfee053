"""What the commands print that need no cluster; `__main__` reads the arguments."""
