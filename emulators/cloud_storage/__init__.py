"""Where are the bytes?  Cloud Storage on one machine, for the stock client and for signed URLs."""
