"""The endpoints of the platform, a module for each group of them: their routes, and the methods that call them."""
