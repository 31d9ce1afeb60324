"""Attachments of users in wire form. Responsible for the check of what the page and a copied test read of them."""

from ..wire import JsonObject
from ..wire.arguments import texts


def checked(attachments: list[JsonObject]) -> list[JsonObject]:
    """Return the attachments.  Raises: BadCommand if a field is of another type than the page expects."""
    for each in attachments:
        texts(each, "url", "filename", "content_type", "voice_wav_url")
    return attachments
