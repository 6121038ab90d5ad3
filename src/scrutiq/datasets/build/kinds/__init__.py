"""The designs: one module a kind of recipe. Each plans its images, makes one, and writes the published layout."""
