"""How is one API served over REST and gRPC?  Each method is written once; both transports lead to it."""
