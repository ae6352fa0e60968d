"""Is anybody or anything at work here?"""
