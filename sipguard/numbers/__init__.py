"""Telephone numbers and sets of them: canonical form, validity, membership. Pure; imports no other room."""
