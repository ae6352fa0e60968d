"""Where the objects of a backup lie: in a directory, or in a bucket by grants."""
