"""Screening: attempt -> facts -> verdict. Pure; imports sip, stir and numbers only."""
