"""The XML API: objects over signed URLs, multipart uploads, HTML forms."""
