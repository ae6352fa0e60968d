"""The records in Firestore. Clients never write there: firestore.rules lets a user read what is theirs."""
