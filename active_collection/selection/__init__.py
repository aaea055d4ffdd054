"""What is worth a label: pool index, embeddings, query strategies, rounds."""
