"""What is there: buckets, objects and their versions, in memory over the files on disk."""
