"""The JSON API: buckets, objects, uploads, copies, batches."""
