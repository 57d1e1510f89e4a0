"""Call control: two legs, what passes between them, where calls go. Pure; imports sip, stir, numbers and screening."""
