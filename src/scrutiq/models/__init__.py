"""Network modules. Each module of this package needs the extra ``train``; importing the package itself does not."""
