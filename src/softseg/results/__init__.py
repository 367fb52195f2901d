"""What the draws say: memberships, profiles, sizes, scoring, and the files they are kept in."""
