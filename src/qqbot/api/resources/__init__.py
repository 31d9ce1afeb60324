"""The endpoints as methods, one class a resource."""
