"""The version of this release: the one place where it stands, read by the build as well."""

__version__ = "0.3.0"
