"""Containers as plain processes: started, bounded, frozen and killed as whole trees."""
