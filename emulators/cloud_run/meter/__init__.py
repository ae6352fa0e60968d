"""What would Google bill for what the instances really did?"""
