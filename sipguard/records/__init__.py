"""What is kept of a call, and what is answered from it. Pure: rows and frames in, answers out."""
